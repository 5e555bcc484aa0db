// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/stoa-project/stoa/server/pki"
)

const day = 24 * time.Hour

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ensureCA(t testing.TB, store pki.Store) *pki.CA {
	t.Helper()
	ca, err := store.EnsureCA(t.Context(), "stoa-ca")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func ensureServing(t testing.TB, ca *pki.CA, serving pki.Serving) *pki.Pair {
	t.Helper()
	pair, err := ca.EnsureServing(t.Context(), "serving", serving)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func ensureClient(t testing.TB, ca *pki.CA, client pki.Client) *pki.Pair {
	t.Helper()
	pair, err := ca.EnsureClient(t.Context(), "admin", client)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func admin() pki.Client {
	return pki.Client{User: "admin", Groups: []string{"system:masters", "others"}}
}

func certificate(t testing.TB, ca *pki.CA) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(ca.CertPEM())
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func pool(ca *pki.CA) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.CertPEM())
	return pool
}

// usable returns the pair as crypto/tls wants it.
func usable(t testing.TB, pair *pki.Pair) tls.Certificate {
	t.Helper()
	cert, err := tls.X509KeyPair(pair.CertPEM, pair.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func read(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t testing.TB, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	store := pki.Store{Dir: filepath.Join(t.TempDir(), "a", "pki")}
	ca := ensureCA(t, store)
	ensureServing(t, ca, pki.Serving{})
	ensureClient(t, ca, admin())
	var files []string
	for _, name := range []string{"stoa-ca", "serving", "admin"} {
		files = append(files, name+".crt 0644", name+".key 0600")
	}
	entries, err := os.ReadDir(store.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(files)+1 { // and the lock
		t.Errorf("folder has %v", entries)
	}
	for _, file := range files {
		name, mode, _ := strings.Cut(file, " ")
		info, err := os.Stat(filepath.Join(store.Dir, name))
		if err != nil || fmt.Sprintf("%04o", info.Mode().Perm()) != mode {
			t.Errorf("%s: %v %v", file, info, err)
		}
	}
	if info, err := os.Stat(store.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v %v", info, err)
	}
}

func TestReuse(t *testing.T) {
	t.Parallel()
	store := pki.Store{Dir: t.TempDir()}
	first := ensureCA(t, store)
	serving := ensureServing(t, first, pki.Serving{Hosts: []string{"Api.Example.com", "10.1.2.3", "*.example.com"}})
	client := ensureClient(t, first, admin())

	second := ensureCA(t, store)
	if !bytes.Equal(first.CertPEM(), second.CertPEM()) {
		t.Error("another authority after a restart")
	}
	again := ensureServing(t, second, pki.Serving{Hosts: []string{"api.example.com"}})
	if !again.Leaf.Equal(serving.Leaf) {
		t.Error("another serving certificate after a restart with fewer hosts")
	}
	if again := ensureClient(t, second, pki.Client{User: "admin", Groups: []string{"others", "system:masters"}}); !again.Leaf.Equal(client.Leaf) {
		t.Error("another client certificate after a restart")
	}
	changed := ensureServing(t, second, pki.Serving{ServiceIP: net.IPv4(10, 0, 0, 1)})
	if changed.Leaf.Equal(serving.Leaf) {
		t.Error("same serving certificate with a new address")
	}
	if !bytes.Equal(changed.KeyPEM, serving.KeyPEM) {
		t.Error("another key after a change of addresses")
	}
	if err := changed.Leaf.VerifyHostname("10.0.0.1"); err != nil {
		t.Error(err)
	}
	if again := ensureClient(t, second, pki.Client{User: "admin"}); len(again.Leaf.Subject.Organization) != 0 {
		t.Errorf("kept groups %v", again.Leaf.Subject.Organization)
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	ca := ensureCA(t, pki.Store{})
	serving := ensureServing(t, ca, pki.Serving{Hosts: []string{"api.example.com"}, ServiceIP: net.ParseIP("10.0.0.1")})
	hosts := []string{
		"localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "10.0.0.1", "api.example.com",
	}
	for _, host := range hosts {
		if err := serving.Leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if err := serving.Leaf.VerifyHostname("example.com"); err == nil {
		t.Error("valid for a host that was not asked for")
	}
	client := ensureClient(t, ca, admin())
	subject := client.Leaf.Subject
	if subject.CommonName != "admin" || fmt.Sprint(subject.Organization) != "[others system:masters]" {
		t.Errorf("subject %v", subject)
	}
	if left := time.Until(certificate(t, ca).NotAfter); left < 3649*day || !certificate(t, ca).IsCA {
		t.Errorf("authority for %v", left)
	}
	if serving.CertFile != "" {
		t.Error("files of a store without a folder")
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Now())
	store := pki.Store{Dir: t.TempDir(), Clock: clock}
	ca := ensureCA(t, store)
	first := ensureServing(t, ca, pki.Serving{Lifetime: 90 * day})
	ensureClient(t, ca, admin())

	clock.Step(59 * day)
	if renewed, err := ca.RenewOnce(t.Context()); err != nil || len(renewed) != 0 {
		t.Errorf("renewed %v with more than a third left: %v", renewed, err)
	}
	clock.Step(2 * day)
	renewed, err := ca.RenewOnce(t.Context())
	if err != nil || len(renewed) != 1 || renewed["serving"] == nil {
		t.Fatalf("renewed %v with less than a third left: %v", renewed, err)
	}
	second := renewed["serving"]
	if read(t, second.CertFile) != string(second.CertPEM) || second.Leaf.Equal(first.Leaf) {
		t.Error("file was not renewed")
	}
	if read(t, first.KeyFile) != string(first.KeyPEM) {
		t.Error("key changed, so that for a moment the files do not fit")
	}
	if err := os.Remove(second.CertFile); err != nil {
		t.Fatal(err)
	}
	if renewed, err := ca.RenewOnce(t.Context()); err != nil || len(renewed) != 1 {
		t.Errorf("renewed %v after the file was lost: %v", renewed, err)
	}
}

func TestRenewLoop(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Now())
	ca := ensureCA(t, pki.Store{Dir: t.TempDir(), Clock: clock})
	first := ensureServing(t, ca, pki.Serving{Lifetime: 3 * time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	renewed := make(chan *pki.Pair)
	var wait sync.WaitGroup
	wait.Go(func() {
		ca.RenewLoop(ctx, func(_ string, pair *pki.Pair) { renewed <- pair })
	})
	deadline := time.After(20 * time.Second)
	var second *pki.Pair
	for second == nil {
		if clock.HasWaiters() {
			clock.Step(time.Minute)
		}
		select {
		case second = <-renewed:
		case <-deadline:
			t.Fatal("not renewed")
		default:
		}
	}
	if left := first.Leaf.NotAfter.Sub(clock.Now()); left < 30*time.Minute || left > 70*time.Minute {
		t.Errorf("renewed with %v left", left)
	}
	cancel()
	wait.Wait()
}

func TestExpiredLeaf(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Now())
	ca := ensureCA(t, pki.Store{Dir: t.TempDir(), Clock: clock})
	first := ensureServing(t, ca, pki.Serving{})
	clock.Step(1000 * day)
	if second := ensureServing(t, ca, pki.Serving{}); !second.Leaf.NotAfter.After(first.Leaf.NotAfter) {
		t.Error("expired certificate was reused")
	}
	clock.Step(2600 * day)
	if last := ensureServing(t, ca, pki.Serving{}); last.Leaf.NotAfter.After(certificate(t, ca).NotAfter) {
		t.Error("certificate outlives its authority")
	}
}

func TestBadLeaf(t *testing.T) {
	t.Parallel()
	other := ensureServing(t, ensureCA(t, pki.Store{}), pki.Serving{})
	for name, damage := range map[string]func(t *testing.T, certFile, keyFile string){
		"no certificate":    func(t *testing.T, certFile, _ string) { remove(t, certFile) },
		"no key":            func(t *testing.T, _, keyFile string) { remove(t, keyFile) },
		"empty certificate": func(t *testing.T, certFile, _ string) { write(t, certFile, "", 0o644) },
		"garbage key":       func(t *testing.T, _, keyFile string) { write(t, keyFile, "garbage", 0o600) },
		"garbage in PEM": func(t *testing.T, certFile, _ string) {
			write(t, certFile, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644)
		},
		"key of another": func(t *testing.T, _, keyFile string) { write(t, keyFile, string(other.KeyPEM), 0o600) },
		"authority of the same name": func(t *testing.T, certFile, keyFile string) {
			write(t, certFile, string(other.CertPEM), 0o644)
			write(t, keyFile, string(other.KeyPEM), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := ensureCA(t, pki.Store{Dir: t.TempDir()})
			first := ensureServing(t, ca, pki.Serving{})
			damage(t, first.CertFile, first.KeyFile)
			second := ensureServing(t, ca, pki.Serving{})
			if second.Leaf.Equal(first.Leaf) {
				t.Error("reused")
			}
			if _, err := tls.LoadX509KeyPair(second.CertFile, second.KeyFile); err != nil {
				t.Error(err)
			}
			if _, err := second.Leaf.Verify(x509.VerifyOptions{Roots: pool(ca)}); err != nil {
				t.Error(err)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestForeignLeaf(t *testing.T) {
	t.Parallel()
	foreignCA, err := pki.Store{}.EnsureCA(t.Context(), "somebody-else")
	if err != nil {
		t.Fatal(err)
	}
	foreign := ensureServing(t, foreignCA, pki.Serving{})
	store := pki.Store{Dir: t.TempDir()}
	ca := ensureCA(t, store)
	certFile := filepath.Join(store.Dir, "serving.crt")
	write(t, certFile, string(foreign.CertPEM), 0o644)
	_, err = ca.EnsureServing(t.Context(), "serving", pki.Serving{})
	if !errors.Is(err, pki.ErrForeign) || !strings.Contains(err.Error(), certFile) {
		t.Errorf("got %v", err)
	}
	if read(t, certFile) != string(foreign.CertPEM) {
		t.Error("file was changed")
	}
}

func TestBadCA(t *testing.T) {
	t.Parallel()
	otherStore := pki.Store{Dir: t.TempDir()}
	other := ensureCA(t, otherStore)
	otherKey := read(t, filepath.Join(otherStore.Dir, "stoa-ca.key"))
	leaf := ensureServing(t, other, pki.Serving{})
	for name, test := range map[string]struct {
		damage func(t *testing.T, certFile, keyFile string)
		step   time.Duration
		file   string
		text   string
		want   error
	}{
		"no key": {
			damage: func(t *testing.T, _, keyFile string) { remove(t, keyFile) },
			file:   "stoa-ca.key", text: "the private key is missing",
		},
		"garbage certificate": {
			damage: func(t *testing.T, certFile, _ string) { write(t, certFile, "garbage", 0o644) },
			file:   "stoa-ca.crt", text: "not a PEM-encoded certificate",
		},
		"empty key": {
			damage: func(t *testing.T, _, keyFile string) { write(t, keyFile, "", 0o600) },
			file:   "stoa-ca.key", text: "not a PEM-encoded private key",
		},
		"garbage key alone": {
			damage: func(t *testing.T, certFile, keyFile string) {
				remove(t, certFile)
				write(t, keyFile, "garbage", 0o600)
			},
			file: "stoa-ca.key", text: "not a PEM-encoded private key",
		},
		"key of another": {
			damage: func(t *testing.T, _, keyFile string) { write(t, keyFile, otherKey, 0o600) },
			file:   "stoa-ca.key", text: "does not belong to",
		},
		"not an authority": {
			damage: func(t *testing.T, certFile, keyFile string) {
				write(t, certFile, string(leaf.CertPEM), 0o644)
				write(t, keyFile, string(leaf.KeyPEM), 0o600)
			},
			file: "stoa-ca.crt", text: "not that of an authority",
		},
		"expired": {step: 3651 * day, file: "stoa-ca.crt", text: "it expired at"},
		"clock":   {step: -day, file: "stoa-ca.crt", text: "it is not valid before"},
		"readable key": {
			damage: func(t *testing.T, _, keyFile string) {
				if err := os.Chmod(keyFile, 0o644); err != nil {
					t.Fatal(err)
				}
			},
			file: "stoa-ca.key", text: "chmod 600", want: pki.ErrUnsafe,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := clocktesting.NewFakeClock(time.Now())
			store := pki.Store{Dir: t.TempDir(), Clock: clock}
			ensureCA(t, store)
			certFile, keyFile := filepath.Join(store.Dir, "stoa-ca.crt"), filepath.Join(store.Dir, "stoa-ca.key")
			secret := strings.Split(read(t, keyFile), "\n")[1]
			if test.damage != nil {
				test.damage(t, certFile, keyFile)
			}
			clock.Step(test.step)
			before := folder(t, store.Dir)
			_, err := store.EnsureCA(t.Context(), "stoa-ca")
			if !errors.Is(err, pki.ErrCA) || test.want != nil && !errors.Is(err, test.want) {
				t.Fatalf("got %v", err)
			}
			t.Log(err)
			if !strings.Contains(err.Error(), filepath.Join(store.Dir, test.file)) ||
				!strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v", err)
			}
			if folder(t, store.Dir) != before {
				t.Error("files were changed")
			}
		})
	}
}

func folder(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, entry := range entries {
		all.WriteString(entry.Name() + "\n" + read(t, filepath.Join(dir, entry.Name())))
	}
	return all.String()
}

// TestCrashedCA has the key that a first start wrote before it was killed.
func TestCrashedCA(t *testing.T) {
	t.Parallel()
	store := pki.Store{Dir: t.TempDir()}
	first := ensureCA(t, store)
	keyFile := filepath.Join(store.Dir, "stoa-ca.key")
	key := read(t, keyFile)
	remove(t, filepath.Join(store.Dir, "stoa-ca.crt"))
	second := ensureCA(t, store)
	if read(t, keyFile) != key {
		t.Error("key was replaced")
	}
	leaf := ensureServing(t, first, pki.Serving{}).Leaf
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool(second)}); err != nil {
		t.Error(err)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	store := pki.Store{Dir: filepath.Join(t.TempDir(), "pki")}
	var wait sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]bool{}
	for range 8 {
		wait.Go(func() {
			ca, err := store.EnsureCA(t.Context(), "stoa-ca")
			if err != nil {
				t.Error(err)
				return
			}
			serving, err := ca.EnsureServing(t.Context(), "serving", pki.Serving{})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[string(ca.CertPEM())+string(serving.CertPEM)+string(serving.KeyPEM)] = true
		})
	}
	wait.Wait()
	if len(seen) != 1 {
		t.Errorf("%d different results", len(seen))
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	ca := ensureCA(t, pki.Store{})
	_, noUser := ca.EnsureClient(t.Context(), "x", pki.Client{})
	_, badHost := ca.EnsureServing(t.Context(), "x", pki.Serving{Hosts: []string{"no host"}})
	_, badName := ca.EnsureServing(t.Context(), "../x", pki.Serving{})
	_, caName := ca.EnsureServing(t.Context(), "stoa-ca", pki.Serving{})
	for text, err := range map[string]error{
		"User": noUser, `"no host"`: badHost, `"../x"`: badName, "authority": caName,
	} {
		if !errors.Is(err, pki.ErrInvalid) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestUnsafeFolder(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(dir string){
		"new":  func(string) {},
		"used": func(dir string) { ensureServing(t, ensureCA(t, pki.Store{Dir: dir}), pki.Serving{}) },
	} {
		for _, mode := range []fs.FileMode{0o777, 0o770, 0o702} {
			dir := t.TempDir()
			prepare(dir)
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
			_, err := pki.Store{Dir: dir}.EnsureCA(t.Context(), "stoa-ca")
			want := fmt.Sprintf("(mode %04o); run: chmod go-w %s", mode, dir)
			if !errors.Is(err, pki.ErrUnsafe) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s folder of mode %04o: got %v", name, mode, err)
			}
		}
	}
}

func TestPrintingHidesKeys(t *testing.T) {
	t.Parallel()
	ca := ensureCA(t, pki.Store{Dir: t.TempDir()})
	pair := ensureServing(t, ca, pki.Serving{})
	for _, text := range []string{fmt.Sprint(pair), fmt.Sprintf("%+v %#v", pair, pair), fmt.Sprintf("%v %#v", ca, ca)} {
		if strings.Contains(text, "PRIVATE") || strings.Contains(text, "0x") {
			t.Errorf("printed %s", text)
		}
	}
}

func TestMutualTLS(t *testing.T) {
	t.Parallel()
	ca := ensureCA(t, pki.Store{})
	serving, client := usable(t, ensureServing(t, ca, pki.Serving{})), usable(t, ensureClient(t, ca, admin()))
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{serving},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool(ca),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	})}
	var wait sync.WaitGroup
	wait.Go(func() { _ = server.Serve(listener) })
	defer wait.Wait()
	defer func() { _ = server.Close() }()

	call := func(config *tls.Config) (string, error) {
		transport := &http.Transport{TLSClientConfig: config}
		defer transport.CloseIdleConnections()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+listener.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			return "", err
		}
		defer func() { _ = response.Body.Close() }()
		var body bytes.Buffer
		_, err = body.ReadFrom(response.Body)
		return body.String(), err
	}
	got, err := call(&tls.Config{RootCAs: pool(ca), Certificates: []tls.Certificate{client}})
	if err != nil || got != "admin" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := call(&tls.Config{RootCAs: pool(ca)}); err == nil {
		t.Error("served without a client certificate")
	}
	stranger := ensureCA(t, pki.Store{})
	if _, err := call(&tls.Config{RootCAs: pool(stranger), Certificates: []tls.Certificate{client}}); err == nil {
		t.Error("trusted a server of another authority")
	}
	if _, err := call(&tls.Config{RootCAs: pool(ca), Certificates: []tls.Certificate{serving}}); err == nil {
		t.Error("took a serving certificate from a client")
	}
}
