// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/server/options/encryptionconfig"

	"github.com/stoa-project/stoa/reload"
)

// TestEncryptionOfAnotherContent has a file that changes between two looks at it. What is
// there then is not taken for what was to be used.
func TestEncryptionOfAnotherContent(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers: "
	const key = "dGhpcy1pcy1hLWtleS1vZi0zMi1ieXRlcy1sb25nISE="
	plain, encrypted := head+"[{identity: {}}]", head+"[{secretbox: {keys: [{name: a, secret: "+key+"}]}}]"
	file := filepath.Join(t.TempDir(), "encryption.yaml")
	if err := os.WriteFile(file, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := encryptionconfig.LoadEncryptionConfig(t.Context(), file, true, "server")
	if err != nil {
		t.Fatal(err)
	}
	e := &encryption{file: file, server: "server", inUse: encryptionconfig.NewDynamicTransformers(loaded.Transformers, loaded.HealthChecks[0], func() {}, 0)}
	if err := e.use(t.Context(), t.Context(), []byte(encrypted)); !errors.Is(err, reload.ErrChanged) {
		t.Errorf("another content: %v, want %v", err, reload.ErrChanged)
	}
	if err := os.WriteFile(file, []byte(encrypted), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.use(t.Context(), t.Context(), []byte(encrypted)); err != nil {
		t.Error(err)
	}
}

// FuzzCheckEncryption reads anything without panic. No error has the key in it, wherever
// that is.
func FuzzCheckEncryption(f *testing.F) {
	const key = "dGhpcy1pcy1hLWtleS1vZi0zMi1ieXRlcy1sb25nISE="
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers: "
	f.Add(head+"[{secretbox: {keys: [{name: a, secret: ", "}]}}]")
	f.Add(head+"[{aescbc: {keys: [{name: ", ", secret: a}]}}]")
	f.Add(head+"[{kms: {apiVersion: v2, name: a, endpoint: 'unix:///", "'}}]")
	f.Add(head+"[{", ": {}}]")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		if _, err := checkEncryption("file", []byte(before+key+after), true); err != nil && strings.Contains(err.Error(), key) {
			t.Errorf("the key is in the error: %v", err)
		}
	})
}
