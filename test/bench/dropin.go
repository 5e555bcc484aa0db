// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/server/pki"
)

// measureDropIn starts and stops the binary as envtest does: as etcd, and then as
// kube-apiserver on it.
func measureDropIn(ctx context.Context, s settings, r *report) error {
	folder := filepath.Join(s.dir, "assets")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	binary, err := filepath.Abs(s.stoa)
	if err != nil {
		return err
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if err := os.Symlink(binary, filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	var starts, stops []float64
	for i := range startRounds {
		start, stop, err := dropIn(ctx, folder, filepath.Join(s.dir, fmt.Sprintf("dropin-%d", i)))
		if err != nil {
			return err
		}
		starts, stops = append(starts, start.Seconds()*1000), append(stops, stop.Seconds()*1000)
	}
	r.median("etcd and kube-apiserver to /healthz", "ms", starts)
	r.median("kube-apiserver and etcd stop", "ms", stops)
	return nil
}

// dropIn starts both on a new folder.
func dropIn(ctx context.Context, assets, dir string) (start, stop time.Duration, err error) {
	certs := filepath.Join(dir, "certs")
	ca, err := pki.Store{Dir: certs}.EnsureCA(ctx, "ca")
	if err != nil {
		return 0, 0, err
	}
	if _, err := ca.EnsureServing(ctx, "apiserver", pki.Serving{}); err != nil {
		return 0, 0, err
	}
	store, peer, api := freeAddress(), freeAddress(), freeAddress()
	_, port, err := net.SplitHostPort(api)
	if err != nil {
		return 0, 0, err
	}
	signer := filepath.Join(certs, "apiserver.key") // any key will do
	began := time.Now()
	etcd, err := launch(ctx, rest.TLSClientConfig{}, "http://"+store+"/health", filepath.Join(assets, "etcd"),
		"--data-dir="+filepath.Join(dir, "etcd"), "--listen-client-urls=http://"+store, "--advertise-client-urls=http://"+store,
		"--listen-peer-urls=http://"+peer, "--unsafe-no-fsync=true")
	if err != nil {
		return 0, 0, err
	}
	defer etcd.stop()
	server, err := launch(ctx, rest.TLSClientConfig{CAData: ca.CertPEM()}, "https://"+api+"/healthz", filepath.Join(assets, "kube-apiserver"),
		"--etcd-servers=http://"+store, "--cert-dir="+certs, "--bind-address=127.0.0.1", "--secure-port="+port, "--authorization-mode=RBAC",
		"--client-ca-file="+filepath.Join(certs, "ca.crt"), "--service-cluster-ip-range=10.0.0.0/24", "--allow-privileged=true",
		"--disable-admission-plugins=ServiceAccount", "--service-account-issuer=https://"+api,
		"--service-account-key-file="+signer, "--service-account-signing-key-file="+signer)
	if err != nil {
		return 0, 0, err
	}
	start = time.Since(began)
	stop = server.stop()
	return start, stop + etcd.stop(), nil
}

// freeAddress is one on which nothing listens.
func freeAddress() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return ""
	}
	_ = listener.Close()
	return listener.Addr().String()
}

// launch starts a program and returns when a URL of it answers 200.
func launch(ctx context.Context, trust rest.TLSClientConfig, url, path string, arguments ...string) (*process, error) {
	client, err := rest.HTTPClientFor(&rest.Config{Host: url, TLSClientConfig: trust})
	if err != nil {
		return nil, err
	}
	var log strings.Builder
	p := &process{command: exec.CommandContext(ctx, path, arguments...)} //nolint:gosec // the binary to measure
	p.command.Stdout, p.command.Stderr = &log, &log
	began := time.Now()
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	for time.Since(began) < startTimeout && ctx.Err() == nil {
		if answers(ctx, client, url) {
			p.took = time.Since(began)
			return p, nil
		}
		pause(ctx, 2*time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s did not answer within %s:\n%s", filepath.Base(path), startTimeout, log.String())
}

func answers(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
