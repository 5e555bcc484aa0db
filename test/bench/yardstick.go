// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/server/etcd"
	"github.com/stoa-project/stoa/server/pki"
)

const (
	echoCommand = "echo-server"
	yardPut     = "etcd put"
	yardEcho    = "echo"
)

// measureYardsticks measures what the machine can do at all.
func measureYardsticks(ctx context.Context, s settings, r *report) error {
	server, err := etcd.Start(ctx, etcd.Config{Dir: filepath.Join(s.dir, "yardstick")})
	if err != nil {
		return err
	}
	payload := string(configMap("x"))
	puts, err := drive(ctx, s.clients, s.duration, func(ctx context.Context, _, i int) error {
		_, err := server.Client().Put(ctx, fmt.Sprintf("/yardstick/%d", i), payload)
		return err
	})
	if stopErr := server.Stop(ctx); err == nil {
		err = stopErr
	}
	if err != nil {
		return fmt.Errorf("%s: %w", yardPut, err)
	}
	r.load(yardPut, "1/s", "", puts)
	return measureEcho(ctx, s, r)
}

// echoAddress is what the echo server tells its parent.
type echoAddress struct{ URL, CA string }

func measureEcho(ctx context.Context, s settings, r *report) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := exec.CommandContext(ctx, self, echoCommand) //nolint:gosec // this program itself
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	defer func() { cancel(); _ = command.Wait() }()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("%s: %w", yardEcho, err)
	}
	var address echoAddress
	if err := json.Unmarshal(line, &address); err != nil {
		return err
	}
	ca, err := base64.StdEncoding.DecodeString(address.CA)
	if err != nil {
		return err
	}
	a := &api{url: address.URL}
	for i := range s.clients {
		client, err := rest.HTTPClientFor(&rest.Config{Host: address.URL, UserAgent: fmt.Sprint(i), TLSClientConfig: rest.TLSClientConfig{CAData: ca}})
		if err != nil {
			return err
		}
		a.clients = append(a.clients, client)
	}
	l, err := drive(ctx, s.clients, s.duration, func(ctx context.Context, w, _ int) error {
		return a.call(ctx, w, http.MethodGet, "/", asJSON, nil)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", yardEcho, err)
	}
	r.load(yardEcho, "1/s", "", l)
	return nil
}

// serveEcho is the body of the child process. It ends when its parent does.
func serveEcho(out io.Writer) error {
	ctx := context.Background()
	ca, err := pki.Store{}.EnsureCA(ctx, "echo-ca")
	if err != nil {
		return err
	}
	pair, err := ca.EnsureServing(ctx, "echo", pki.Serving{})
	if err != nil {
		return err
	}
	certificate, err := tls.X509KeyPair(pair.CertPEM, pair.KeyPEM)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	body := configMap("echo")
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", asJSON)
			_, _ = w.Write(body)
		}),
	}
	line, err := json.Marshal(echoAddress{URL: "https://" + listener.Addr().String(), CA: base64.StdEncoding.EncodeToString(ca.CertPEM())})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
		return err
	}
	return server.ServeTLS(listener, "", "")
}
