// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stoa-project/stoa/server/pki"
)

// BenchmarkFirstStart makes what a first start needs.
func BenchmarkFirstStart(b *testing.B) {
	for name, keep := range map[string]bool{"disk": true, "memory": false} {
		b.Run(name, func(b *testing.B) {
			parent := b.TempDir()
			for i := 0; b.Loop(); i++ {
				store := pki.Store{}
				if keep {
					store.Dir = filepath.Join(parent, fmt.Sprint(i))
				}
				ca := ensureCA(b, store)
				ensureServing(b, ca, pki.Serving{})
				ensureClient(b, ca, admin())
			}
		})
	}
}

func BenchmarkRestart(b *testing.B) {
	store := pki.Store{Dir: b.TempDir()}
	for b.Loop() {
		ca := ensureCA(b, store)
		ensureServing(b, ca, pki.Serving{})
		ensureClient(b, ca, admin())
	}
}
