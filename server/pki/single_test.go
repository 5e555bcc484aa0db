// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki_test

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/stoa-project/stoa/server/pki"
)

func ensureSingle(t *testing.T, store pki.Store) (*pki.Pair, string) {
	t.Helper()
	pair, authority, err := store.EnsureSingle(t.Context(), "proxy", pki.Client{User: "me"})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	usable(t, pair)
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{
		Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CurrentTime: pair.Leaf.NotBefore.Add(time.Hour),
	}); err != nil {
		t.Error(err)
	}
	return pair, string(authority)
}

// TestSingle keeps the pair, and no key of the authority.
func TestSingle(t *testing.T) {
	t.Parallel()
	store := pki.Store{Dir: filepath.Join(t.TempDir(), "pki")}
	first, authority := ensureSingle(t, store)
	entries, err := os.ReadDir(store.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got, want := strings.Join(names, " "), ".lock proxy-ca.crt proxy.crt proxy.key"; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
	second, again := ensureSingle(t, store)
	if string(first.CertPEM) != string(second.CertPEM) || authority != again {
		t.Error("a second start made a certificate")
	}
	if second.CertFile != filepath.Join(store.Dir, "proxy.crt") || read(t, second.KeyFile) != string(first.KeyPEM) {
		t.Errorf("files are %s and %s", second.CertFile, second.KeyFile)
	}
	if pair, _ := ensureSingle(t, pki.Store{}); pair.CertFile != "" || pair.KeyFile != "" {
		t.Errorf("in memory, files are %s and %s", pair.CertFile, pair.KeyFile)
	}
}

// TestSingleAnew makes both certificates anew.
func TestSingleAnew(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, dir string, clock *clocktesting.FakeClock){
		"old":     func(_ *testing.T, _ string, clock *clocktesting.FakeClock) { clock.Step(7 * 365 * day) },
		"expired": func(_ *testing.T, _ string, clock *clocktesting.FakeClock) { clock.Step(11 * 365 * day) },
		"no authority": func(t *testing.T, dir string, _ *clocktesting.FakeClock) {
			remove(t, filepath.Join(dir, "proxy-ca.crt"))
		},
		"no certificate": func(t *testing.T, dir string, _ *clocktesting.FakeClock) { remove(t, filepath.Join(dir, "proxy.crt")) },
		"no key":         func(t *testing.T, dir string, _ *clocktesting.FakeClock) { remove(t, filepath.Join(dir, "proxy.key")) },
		"damaged authority": func(t *testing.T, dir string, _ *clocktesting.FakeClock) {
			write(t, filepath.Join(dir, "proxy-ca.crt"), "x", 0o644)
		},
		"another authority": func(t *testing.T, dir string, _ *clocktesting.FakeClock) {
			other, err := pki.Store{}.EnsureCA(t.Context(), "proxy-ca")
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "proxy-ca.crt"), string(other.CertPEM()), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := clocktesting.NewFakeClock(time.Now())
			store := pki.Store{Dir: t.TempDir(), Clock: clock}
			first, authority := ensureSingle(t, store)
			damage(t, store.Dir, clock)
			second, anew := ensureSingle(t, store)
			if string(first.CertPEM) == string(second.CertPEM) || authority == anew {
				t.Error("a certificate stayed")
			}
			third, _ := ensureSingle(t, store)
			if string(second.CertPEM) != string(third.CertPEM) {
				t.Error("it was made once more")
			}
		})
	}
}

func TestSingleInvalid(t *testing.T) {
	t.Parallel()
	store := pki.Store{Dir: t.TempDir()}
	foreign := ensureClient(t, ensureCA(t, pki.Store{}), admin())
	write(t, filepath.Join(store.Dir, "mine.crt"), string(foreign.CertPEM), 0o644)
	for name, tc := range map[string]struct {
		user string
		want error
	}{"mine": {"me", pki.ErrForeign}, "../x": {"me", pki.ErrInvalid}, "x": {"", pki.ErrInvalid}} {
		if _, _, err := store.EnsureSingle(t.Context(), name, pki.Client{User: tc.user}); !errors.Is(err, tc.want) {
			t.Errorf("%s of user %q: got %v, want %v", name, tc.user, err, tc.want)
		}
	}
}
