// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/tenancy"
	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/server/etcd"
	"github.com/stoa-project/stoa/stoatest"
)

// foreignCertificate makes a certificate as a user may bring one: signed by itself,
// for a name that the address of the server is not.
func foreignCertificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "api"}, DNSNames: []string{"*.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("tls.crt", "CERTIFICATE", cert), write("tls.key", "EC PRIVATE KEY", der)
}

// TestForeignCertificate checks that the admin kubeconfig works with it.
func TestForeignCertificate(t *testing.T) {
	t.Parallel()
	certFile, keyFile := foreignCertificate(t)
	api := stoatest.Start(t, stoatest.WithFlags("--tls-cert-file="+certFile, "--tls-private-key-file="+keyFile))
	client := kubernetes.NewForConfigOrDie(api.Config())
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	kubeconfig, err := os.ReadFile(api.Kubeconfig())
	if err != nil || !strings.Contains(string(kubeconfig), "tls-server-name: stoa.example.com") {
		t.Errorf("kubeconfig has not the name of the certificate: %v", err)
	}
}

// TestWithoutCore serves one group, and neither namespaces nor what needs them.
func TestWithoutCore(t *testing.T) {
	t.Parallel()
	api := stoatest.Start(t, stoatest.WithOptions(func(o *server.Options) { o.Groups = []kind.Group{tenancy.Group()} }))
	client := versioned.NewForConfigOrDie(api.Config())
	if _, err := client.TenancyV1().Tenants().List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
}

// TestSwitches leaves servers of the chain out.
func TestSwitches(t *testing.T) {
	t.Parallel()
	const definitions, services = "apiextensions.k8s.io", "apiregistration.k8s.io"
	for name, in := range map[string]struct {
		change func(*server.Options)
		want   []string
	}{
		"all":            {func(*server.Options) {}, []string{definitions, services}},
		"no aggregation": {func(o *server.Options) { o.Aggregation.Enabled = false }, []string{definitions}},
		"no definitions": {func(o *server.Options) { o.CustomResources = false }, []string{services}},
		"neither":        {func(o *server.Options) { o.CustomResources, o.Aggregation.Enabled = false, false }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := stoatest.Start(t, stoatest.WithOptions(in.change))
			groups, err := kubernetes.NewForConfigOrDie(api.Config()).Discovery().ServerGroups()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, g := range groups.Groups {
				if g.Name == definitions || g.Name == services {
					got = append(got, g.Name)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, in.want) {
				t.Errorf("groups %v, want %v", got, in.want)
			}
		})
	}
}

// TestOverrides stores one resource in an etcd of its own, whose health counts.
func TestOverrides(t *testing.T) {
	t.Parallel()
	other, err := etcd.Start(t.Context(), etcd.Config{Dir: filepath.Join(t.TempDir(), "etcd"), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Stop(context.WithoutCancel(t.Context())) })
	api := stoatest.Start(t, stoatest.WithFlags("--etcd-servers-overrides=/secrets#"+other.Endpoints()[0]))
	client := kubernetes.NewForConfigOrDie(api.Config())
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "apart"}}
	if _, err := client.CoreV1().Secrets("default").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]struct {
		client *clientv3.Client
		want   int64
	}{"its own etcd": {other.Client(), 1}, "the main etcd": {api.Etcd(), 0}} {
		got, err := in.client.Get(t.Context(), "/registry/secrets/default/apart")
		if err != nil || got.Count != in.want {
			t.Errorf("%s has %d secrets, %v, want %d", name, got.Count, err, in.want)
		}
	}
	ready, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Param("verbose", "").Do(t.Context()).Raw()
	if err != nil || !strings.Contains(string(ready), "[+]etcd-override-readiness-0 ok") {
		t.Errorf("readiness: %v\n%s", err, ready)
	}
}

// options are those of a server on a free port that keeps nothing.
func options(t *testing.T, change func(*server.Options)) server.CompletedOptions {
	t.Helper()
	completed, err := complete(t.Context(), change)
	if err != nil {
		t.Fatal(err)
	}
	return completed
}

func complete(ctx context.Context, change func(*server.Options)) (server.CompletedOptions, error) {
	o := server.NewOptions()
	o.DataDir = ""
	o.Etcd.UnsafeNoFsync = true
	o.Serving.BindAddress, o.Serving.BindPort = net.IPv4(127, 0, 0, 1), 0
	change(o)
	return o.Complete(ctx)
}

// TestCanceledRun stops a server at every moment of its start. That is no error, and
// must not end the process, as an error of a post-start hook would.
func TestCanceledRun(t *testing.T) {
	t.Parallel()
	for delay := range 12 {
		s, err := server.New(t.Context(), options(t, func(*server.Options) {}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(delay)*5*time.Millisecond)
		if err := s.Run(ctx); err != nil {
			t.Errorf("stopped after %d ms: %v", delay*5, err)
		}
		cancel()
	}
}

// TestCloseWithoutRun gives the folder back.
func TestCloseWithoutRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		s, err := server.New(t.Context(), options(t, func(o *server.Options) { o.DataDir = dir }))
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		s.Close()
	}
}

// TestCloseLeavesNothing counts goroutines of servers that are never run. It is not
// parallel: others would count.
func TestCloseLeavesNothing(t *testing.T) { //nolint:paralleltest // see above
	for name, tc := range map[string]struct {
		change func(*server.Options)
		// left is the queue of upstream's aggregator for discovery documents, which only
		// a server that was ready ends.
		left int
	}{
		"all":            {change: func(*server.Options) {}, left: 2},
		"no definitions": {change: func(o *server.Options) { o.CustomResources = false }, left: 2},
		"no aggregation": {change: func(o *server.Options) { o.Aggregation.Enabled = false }},
	} {
		t.Run(name, func(t *testing.T) {
			ignore := goleak.IgnoreCurrent()
			s, err := server.New(t.Context(), options(t, func(o *server.Options) {
				o.DataDir = t.TempDir()
				tc.change(o)
			}))
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			leavesNothing(t, ignore, tc.left)
		})
	}
}

// leavesNothing waits until no goroutines are left but those before, and a number.
func leavesNothing(t *testing.T, before goleak.Option, want int) {
	t.Helper()
	// These end by themselves, or are the process's.
	options := []goleak.Option{
		before,
		goleak.IgnoreTopFunction("k8s.io/klog/v2.(*flushDaemon).run.func1"),
		goleak.IgnoreAnyFunction("k8s.io/apimachinery/pkg/util/wait.Forever"),
		goleak.IgnoreAnyFunction("k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch.(*typeConverterManager).Run"),
	}
	var found error
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		left := 0
		if found = goleak.Find(options...); found != nil {
			left = strings.Count(found.Error(), "Goroutine ")
		}
		return left == want, nil
	})
	if err != nil {
		t.Errorf("want %d goroutines that are left: %v", want, found)
	}
}

// TestRunLeavesNothing counts goroutines of servers that have run. What is off does not run
// meanwhile. It is not parallel: others would count.
func TestRunLeavesNothing(t *testing.T) { //nolint:paralleltest // see above
	for name, tc := range map[string]struct {
		change func(*server.Options)
		// runs are parts of the names of what must run or not.
		runs map[string]bool
	}{
		"all": {func(*server.Options) {}, map[string]bool{"stoa/controllers/namespace.": true, "stoa/controllers/garbagecollector.": true, "admission/plugin/": true}},
		"controllers off": {
			func(o *server.Options) { o.Controllers.Names = []string{"-*"} }, map[string]bool{"stoa/controllers": false, "admission/plugin/": true},
		},
		"plugins off": {
			func(o *server.Options) { o.Admission.DisablePlugins = o.Admission.Plugins.Registered() },
			map[string]bool{"stoa/controllers/namespace.": true, "stoa/admission": false, "admission/plugin/": false},
		},
		"both off": {
			func(o *server.Options) {
				o.Controllers.Names, o.Admission.DisablePlugins = []string{"-*"}, o.Admission.Plugins.Registered()
			},
			map[string]bool{"stoa/controllers": false, "stoa/admission": false, "admission/plugin/": false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			s, err := server.New(t.Context(), options(t, tc.change))
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			if err := s.WaitReady(ctx); err != nil {
				t.Fatal(err)
			}
			wrong := ""
			err = wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
				var stacks strings.Builder
				if err := pprof.Lookup("goroutine").WriteTo(&stacks, 1); err != nil {
					return false, err
				}
				wrong = ""
				for part, want := range tc.runs {
					if strings.Contains(stacks.String(), part) != want {
						wrong += fmt.Sprintf("%s runs: %t, want %t\n%s\n", part, !want, want, &stacks)
					}
				}
				return wrong == "", nil
			})
			if err != nil {
				t.Error(wrong)
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			leavesNothing(t, before, 0)
		})
	}
}

// TestWithoutCA has no administrator, and says so.
func TestWithoutCA(t *testing.T) {
	t.Parallel()
	dir, certs := t.TempDir(), t.TempDir()
	s, err := server.New(t.Context(), options(t, func(o *server.Options) {
		o.DataDir, o.WithoutCA, o.Serving.CertDir = dir, true, certs
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if config := s.AdminConfig(); config != nil {
		t.Errorf("there is an administrator: %v", config)
	}
	if path := s.KubeconfigPath(); path != "" {
		t.Errorf("there is a kubeconfig at %s", path)
	}
	if _, err := os.Stat(filepath.Join(dir, "admin.kubeconfig")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a kubeconfig was written: %v", err)
	}
	if err := s.WriteKubeconfig(filepath.Join(dir, "other")); !errors.Is(err, server.ErrNoAdmin) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.MergeKubeconfig(); !errors.Is(err, server.ErrNoAdmin) {
		t.Errorf("merge: %v", err)
	}
}

// TestKeysInMemory looks for keys of authorities of a server that keeps nothing, which
// kill -9 would leave. It sets where temporary files are for all tests.
func TestKeysInMemory(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s, err := server.New(t.Context(), options(t, func(*server.Options) {}))
	if err != nil {
		t.Fatal(err)
	}
	keys := func() (out []string) {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".key") {
				out = append(out, filepath.Base(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := keys(); !slices.Equal(got, []string{"stoa-front-proxy.key"}) {
		t.Errorf("keys in files: %v", got)
	}
	s.Close()
	if got := keys(); got != nil {
		t.Errorf("keys in files of a server that is closed: %v", got)
	}
}

// TestFolderInUse checks that a start that is refused changes nothing of the server
// that has the folder.
func TestFolderInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	api := stoatest.Start(t, stoatest.WithDataDir(dir))
	read := func() string {
		var all strings.Builder
		for _, name := range []string{"pki/apiserver.crt", "pki/stoa-ca.crt", "pki/admin.crt", "admin.kubeconfig"} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			all.Write(data)
		}
		return all.String()
	}
	before := read()
	_, err := server.New(t.Context(), options(t, func(o *server.Options) {
		o.DataDir, o.Run.ExternalHost = dir, "other.example.com"
	}))
	if err == nil || !strings.Contains(err.Error(), "data folder is in use") {
		t.Errorf("second server: %v", err)
	}
	if read() != before {
		t.Error("the second server changed files of the first")
	}
	if _, err := kubernetes.NewForConfigOrDie(api.Config()).Discovery().ServerVersion(); err != nil {
		t.Error(err)
	}
}

// TestInvalidOptions checks that every mistake is told, by the name of its flag.
func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*server.Options){
		"--etcd-servers: each must be a URL such as https://10.0.0.1:2379":     func(o *server.Options) { o.Etcd.StorageConfig.Transport.ServerList = []string{"nowhere"} },
		"--etcd-servers: must not contain a user or password":                  func(o *server.Options) { o.Etcd.StorageConfig.Transport.ServerList = []string{"http://me:hunter2@a:1"} },
		"--etcd-certfile, --etcd-keyfile and --etcd-cafile must not":           func(o *server.Options) { o.Etcd.StorageConfig.Transport.CertFile = "x" },
		"--etcd-servers-overrides invalid":                                     func(o *server.Options) { o.Etcd.EtcdServersOverrides = []string{"x"} },
		"--etcd-compaction-interval must not be negative":                      func(o *server.Options) { o.Etcd.StorageConfig.CompactionInterval = -1 },
		"--quota-backend-bytes must not be negative":                           func(o *server.Options) { o.Etcd.QuotaBackendBytes = -1 },
		"--request-timeout must be positive":                                   func(o *server.Options) { o.Run.RequestTimeout = 0 },
		"--tls-cert-file must be set together with --tls-private-key-file":     func(o *server.Options) { o.Serving.CertFile = "x" },
		"--tls-private-key-file must be set together with --tls-cert-file":     func(o *server.Options) { o.Serving.KeyFile = "x" },
		"--client-ca-file: open /nonexistent: no such file or directory":       func(o *server.Options) { o.Authentication.ClientCAFile = "/nonexistent" },
		"--proxy-client-cert-file must be set together with --proxy-client":    func(o *server.Options) { o.Aggregation.ProxyClientCertFile = "x" },
		"--requestheader-client-ca-file: open /nonexistent":                    func(o *server.Options) { o.Authentication.RequestHeader.ClientCAFile = "/nonexistent" },
		"--secure-port 70000 must be between":                                  func(o *server.Options) { o.Serving.BindPort = 70000 },
		"--runtime-config: apiextensions.k8s.io/v1 cannot be":                  func(o *server.Options) { o.APIs.RuntimeConfig = map[string]string{"apiextensions.k8s.io/v1": "false"} },
		`authorization-mode "Rbac" is not a valid mode`:                        func(o *server.Options) { o.Authorization.Modes = []string{"Rbac"} },
		`authorization-mode ["RBAC" "RBAC"] has mode specified more than once`: func(o *server.Options) { o.Authorization.Modes = []string{"RBAC", "RBAC"} },
		"authorization-mode ABAC's authorization policy file not passed":       func(o *server.Options) { o.Authorization.Modes = []string{"ABAC"} },
		"cannot specify --authorization-policy-file without mode ABAC":         func(o *server.Options) { o.Authorization.PolicyFile = "x" },
		"authorization-mode Webhook's authorization config file not passed":    func(o *server.Options) { o.Authorization.Modes = []string{"Webhook"} },
		"cannot specify --authorization-webhook-config-file without mode":      func(o *server.Options) { o.Authorization.Webhook.ConfigFile = "x" },
		"--authorization-config: open /nonexistent: no such file":              func(o *server.Options) { o.Authorization.ConfigFile = "/nonexistent" },
		"--authorization-config can not be specified when --authorization-mode": func(o *server.Options) {
			if err := o.Flags().Parse([]string{"--authorization-config=x", "--authorization-mode=RBAC"}); err != nil {
				panic(err)
			}
		},
		"--authorization-policy-file: open /nonexistent: no such file": func(o *server.Options) {
			o.Authorization.Modes, o.Authorization.PolicyFile = []string{"ABAC"}, "/nonexistent"
		},
		"unknown api groups nosuch/v1":                                       func(o *server.Options) { o.APIs.RuntimeConfig = map[string]string{"nosuch/v1": "true"} },
		`--api-groups: unknown group "nosuch": known are all, minimal, core`: func(o *server.Options) { o.APIs.Groups = []string{"nosuch"} },
		`API group "tenancy.stoa.dev" is there twice`:                        func(o *server.Options) { o.Groups = append(o.Groups, tenancy.Group()) },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			completed, err := complete(t.Context(), change)
			if err == nil {
				_, err = server.New(t.Context(), completed)
			}
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}
