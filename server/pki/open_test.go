// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki_test

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/stoa-project/stoa/server/pki"
)

// TestIssueClient signs with an authority that is there, and changes nothing.
func TestIssueClient(t *testing.T) {
	t.Parallel()
	store := pki.Store{Dir: filepath.Join(t.TempDir(), "pki")}
	if _, err := store.OpenCA("stoa-ca"); !errors.Is(err, pki.ErrCA) {
		t.Errorf("an authority that is not there: %v", err)
	}
	if _, err := os.Stat(store.Dir); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
	if _, err := (pki.Store{}).OpenCA("../stoa-ca"); !errors.Is(err, pki.ErrInvalid) {
		t.Errorf("a name that leaves the folder: %v", err)
	}
	ensureCA(t, store)
	before := folder(t, store.Dir)
	ca, err := store.OpenCA("stoa-ca")
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"alice", "bob"} {
		pair, err := ca.IssueClient(t.Context(), pki.Client{User: user, Groups: []string{"ops", "dev"}, Lifetime: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		subject := pair.Leaf.Subject
		if subject.CommonName != user || !slices.Equal(subject.Organization, []string{"dev", "ops"}) || pair.CertFile+pair.KeyFile != "" {
			t.Errorf("certificate is %v in %q", subject, pair.CertFile)
		}
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool(ca), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Error(err)
		}
		if left := time.Until(pair.Leaf.NotAfter); left > time.Hour || left < 50*time.Minute {
			t.Errorf("certificate is good for %v", left)
		}
	}
	if _, err := ca.IssueClient(t.Context(), pki.Client{}); !errors.Is(err, pki.ErrInvalid) {
		t.Errorf("a certificate for nobody: %v", err)
	}
	if folder(t, store.Dir) != before {
		t.Error("the folder has changed")
	}
}

// TestReadKubeconfig returns the server that was written.
func TestReadKubeconfig(t *testing.T) {
	t.Parallel()
	path, want := filepath.Join(t.TempDir(), "admin.kubeconfig"), entry(t, "stoa")
	want.ServerName = "stoa.example.com"
	if _, err := pki.ReadKubeconfig(path, "stoa"); !errors.Is(err, pki.ErrKubeconfig) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := pki.WriteKubeconfig(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := pki.ReadKubeconfig(path, "stoa")
	if err != nil || got.Server != want.Server || got.ServerName != want.ServerName || string(got.CA) != string(want.CA) || got.Client != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := pki.ReadKubeconfig(path, "other"); !errors.Is(err, pki.ErrKubeconfig) {
		t.Errorf("an entry that is not there: %v", err)
	}
	write(t, path, "secret-token: [", 0o600)
	if _, err := pki.ReadKubeconfig(path, "stoa"); err == nil || err.Error() != "kubeconfig cannot be read or changed: "+path+" is not a valid kubeconfig; it was left as it is" {
		t.Errorf("a broken file: %v", err)
	}
}

// TestEncode returns what WriteKubeconfig writes.
func TestEncode(t *testing.T) {
	t.Parallel()
	k := entry(t, "stoa")
	encoded, err := k.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "k")
	if err := pki.WriteKubeconfig(path, k); err != nil || read(t, path) != string(encoded) {
		t.Errorf("the file differs: %v", err)
	}
	if config, err := clientcmd.Load(encoded); err != nil || config.CurrentContext != "stoa" {
		t.Errorf("got %v", err)
	}
	if _, err := (pki.Kubeconfig{Name: "stoa"}).Encode(); !errors.Is(err, pki.ErrInvalid) {
		t.Errorf("one without a server: %v", err)
	}
}
