// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki_test

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"k8s.io/client-go/util/keyutil"

	"github.com/stoa-project/stoa/server/pki"
)

func TestEnsureKey(t *testing.T) {
	t.Parallel()
	store := pki.Store{Dir: filepath.Join(t.TempDir(), "pki")}
	made, err := store.EnsureKey(t.Context(), "sa")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"sa.key": 0o600, "sa.pub": 0o644} {
		info, err := os.Stat(filepath.Join(store.Dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, error %v", name, info, err)
		}
	}
	public, err := keyutil.PublicKeysFromFile(filepath.Join(store.Dir, "sa.pub"))
	if err != nil || len(public) != 1 || !made.Public().(*ecdsa.PublicKey).Equal(public[0]) {
		t.Errorf("public half %v, error %v", public, err)
	}
	again, err := store.EnsureKey(t.Context(), "sa")
	if err != nil || !made.Public().(*ecdsa.PublicKey).Equal(again.Public()) {
		t.Errorf("the key is another one, error %v", err)
	}
}

// TestEnsureKeyTogether has several processes make the key.
func TestEnsureKeyTogether(t *testing.T) {
	t.Parallel()
	store := pki.Store{Dir: t.TempDir()}
	keys := make([]crypto.Signer, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], err = store.EnsureKey(t.Context(), "sa"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, key := range keys {
		if key == nil || !keys[0].Public().(*ecdsa.PublicKey).Equal(key.Public()) {
			t.Error("the keys differ")
		}
	}
}

func TestEnsureKeyInMemory(t *testing.T) {
	t.Parallel()
	a, errA := pki.Store{}.EnsureKey(t.Context(), "sa")
	b, errB := pki.Store{}.EnsureKey(t.Context(), "sa")
	if errA != nil || errB != nil || a.Public().(*ecdsa.PublicKey).Equal(b.Public()) {
		t.Errorf("errors %v, %v, or both are the same key", errA, errB)
	}
}

func TestEnsureKeyRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		file, content string
		mode          os.FileMode
		want          error
	}{
		"damaged":   {"sa", "hello", 0o600, pki.ErrKey},
		"empty":     {"sa", "", 0o600, pki.ErrKey},
		"for all":   {"sa", "hello", 0o644, pki.ErrUnsafe},
		"elsewhere": {"../sa", "hello", 0o600, pki.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "sa.key"), []byte(tc.content), tc.mode); err != nil {
				t.Fatal(err)
			}
			if _, err := (pki.Store{Dir: dir}).EnsureKey(t.Context(), tc.file); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
			if content, err := os.ReadFile(filepath.Join(dir, "sa.key")); err != nil || string(content) != tc.content {
				t.Errorf("the file is now %q, error %v", content, err)
			}
		})
	}
}
