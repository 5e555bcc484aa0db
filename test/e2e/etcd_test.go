// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/stoa-project/stoa/server/pki"
)

// etcdHelperVariable makes the test binary be an etcd: port and folder.
const etcdHelperVariable = "STOA_E2E_ETCD"

// etcdHelper runs an etcd that wants client certificates, until it is signalled.
func etcdHelper() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := runEtcd(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runEtcd(ctx context.Context) error {
	port, dir, _ := strings.Cut(os.Getenv(etcdHelperVariable), ":")
	client := url.URL{Scheme: "https", Host: "127.0.0.1:" + port}
	peer := url.URL{Scheme: "unix", Path: filepath.Join(dir, "peer")}
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "data")
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.ClientTLSInfo = transport.TLSInfo{
		CertFile: filepath.Join(dir, "pki", "etcd.crt"), KeyFile: filepath.Join(dir, "pki", "etcd.key"),
		TrustedCAFile: filepath.Join(dir, "pki", "ca.crt"), ClientCertAuth: true,
	}
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer etcd.Close()
	select {
	case <-etcd.Server.ReadyNotify():
		fmt.Println("ready")
	case err := <-etcd.Err():
		return err
	}
	<-ctx.Done()
	return nil
}

// externalEtcd is an etcd outside of stoa, with certificates of its own.
type externalEtcd struct {
	process *exec.Cmd
	out     *output
	dir     string
	port    int
}

func startEtcd(t *testing.T) *externalEtcd {
	t.Helper()
	e := &externalEtcd{dir: filepath.Dir(folder(t)), port: freePort(t)}
	ca, err := pki.Store{Dir: filepath.Join(e.dir, "pki")}.EnsureCA(t.Context(), "ca")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.EnsureServing(t.Context(), "etcd", pki.Serving{Hosts: []string{"127.0.0.1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.EnsureClient(t.Context(), "client", pki.Client{User: "stoa"}); err != nil {
		t.Fatal(err)
	}
	e.start(t)
	return e
}

func (e *externalEtcd) start(t *testing.T) {
	t.Helper()
	e.process, e.out = exec.CommandContext(t.Context(), os.Args[0]), &output{}
	e.process.Env = append(os.Environ(), etcdHelperVariable+"="+strconv.Itoa(e.port)+":"+e.dir)
	e.process.Stdout, e.process.Stderr = e.out, e.out
	if err := e.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.process.Process.Kill() })
	eventually(t, "etcd is ready", func() error {
		if got := e.out.String(); !strings.Contains(got, "ready\n") {
			return errors.New(got)
		}
		return nil
	})
}

func (e *externalEtcd) stop(t *testing.T) {
	t.Helper()
	if err := e.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = e.process.Wait() // its outcome does not matter
}

func (e *externalEtcd) flags() []string {
	file := func(name string) string { return filepath.Join(e.dir, "pki", name) }
	return []string{
		"--etcd-servers=https://127.0.0.1:" + strconv.Itoa(e.port),
		"--etcd-cafile=" + file("ca.crt"), "--etcd-certfile=" + file("client.crt"), "--etcd-keyfile=" + file("client.key"),
	}
}

// Two servers on one etcd are two replicas of one.
func TestExternalEtcd(t *testing.T) {
	t.Parallel()
	integration(t)
	etcd := startEtcd(t)
	flags := append(etcd.flags(), "--controllers=*,-root-ca-certificate-publisher-controller") // the test counts config maps
	one, two := start(t, folder(t), flags...), start(t, folder(t), flags...)
	if _, err := os.Stat(filepath.Join(one.dir, "etcd")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is an embedded etcd beside the external one: %v", err)
	}
	maps1, maps2 := one.client(t).CoreV1().ConfigMaps("default"), two.client(t).CoreV1().ConfigMaps("default")
	watching, err := maps2.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watching.Stop()
	obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "shared"}, Data: map[string]string{"from": "one"}}
	created, err := maps1.Create(t.Context(), obj, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := next(t, watching); got.Type != watch.Added || got.Object.(*corev1.ConfigMap).ResourceVersion != created.ResourceVersion {
		t.Errorf("the other server's watch says %s %v", got.Type, got.Object)
	}
	// A consistent read of the other server has it, whatever its cache has.
	got, err := maps2.Get(t.Context(), "shared", metav1.GetOptions{})
	if err != nil || got.Data["from"] != "one" {
		t.Errorf("the other server has %v: %v", got, err)
	}
	list, err := maps2.List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Errorf("the other server lists %v: %v", list, err)
	}

	// Without etcd a server lives, but is not ready.
	etcd.stop(t)
	eventually(t, "/readyz is red", func() error {
		if code, err := one.status(t, "/readyz"); err != nil || code != 500 {
			return fmt.Errorf("%d, %w", code, err)
		}
		return nil
	})
	if code, err := one.status(t, "/livez?exclude=etcd"); err != nil || code != 200 {
		t.Errorf("/livez but for etcd, without etcd: %d: %v", code, err)
	}
	etcd.start(t)
	back := time.Now()
	for _, s := range []*server{one, two} {
		eventually(t, "/readyz is green again", func() error {
			if code, err := s.status(t, "/readyz"); err != nil || code != 200 {
				return fmt.Errorf("%d, %w", code, err)
			}
			return nil
		})
	}
	t.Logf("The servers were ready %s after etcd", time.Since(back))
	if _, err := maps2.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "later"}}, metav1.CreateOptions{}); err != nil {
		t.Errorf("create after etcd came back: %v", err)
	}
	eventually(t, "the first server sees what the second wrote", func() error {
		_, err := maps1.Get(t.Context(), "later", metav1.GetOptions{ResourceVersion: "0"})
		return err
	})
	one.stop(t)
	two.stop(t)
}

func next(t *testing.T, w watch.Interface) watch.Event {
	t.Helper()
	select {
	case event, ok := <-w.ResultChan():
		if !ok {
			t.Fatal("the watch ended")
		}
		return event
	case <-time.After(patience):
		t.Fatal("no event")
		return watch.Event{}
	}
}

// A start waits for an etcd that comes later.
func TestStartBeforeEtcd(t *testing.T) {
	t.Parallel()
	integration(t)
	etcd := startEtcd(t)
	etcd.stop(t)
	s := startOn(t, folder(t), freePort(t), append(etcd.flags(), "--etcd-start-timeout=2m")...)
	eventually(t, "the server listens", func() error {
		if refused(t, s) == nil {
			return errors.New("it does not")
		}
		return nil
	})
	etcd.start(t)
	if !s.ready(t) {
		t.Fatalf("stoa ended with %d: %s", s.wait(t), s.stderr.String())
	}
	s.kubectl(t, "get", "namespaces")
}
