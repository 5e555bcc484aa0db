// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/stoa-project/stoa/registry/tenancy/journal"
)

// TestIdle follows nothing before the first use, and nothing any more when nobody has
// asked or watched for long.
func TestIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory()
		h.put(namespaceNamed("n1"))
		j := journal.New(journal.Config{Sources: h.sources(), IdleAfter: time.Minute})
		defer j.Close()
		root := (&observer{person: person{"root", []string{"system:masters"}}}).who()
		pass := func(d time.Duration) { <-time.After(d) }
		follows := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			if got := h.watching(); got != want {
				t.Errorf("%s: %d watches, want %d", what, got, want)
			}
		}
		ask := func(want int) uint64 {
			t.Helper()
			items, revision, err := j.List(t.Context(), root, journal.Freshness{})
			if err != nil || len(items) != want {
				t.Fatalf("list: %v, %v", items, err)
			}
			return revision
		}
		follows("before the first use", 0)
		first := ask(1)
		pass(50 * time.Second)
		follows("soon after a list", 6)
		ask(1)
		pass(50 * time.Second)
		follows("after another list", 6)
		w, err := j.Watch(t.Context(), root, journal.WatchOptions{From: first})
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		follows("while somebody watches", 6)
		w.Stop()
		pass(50 * time.Second)
		follows("soon after a watch", 6)
		pass(time.Minute)
		follows("long after it", 0)
		h.put(namespaceNamed("n2"))
		if _, err := j.Watch(t.Context(), root, journal.WatchOptions{From: first}); !apierrors.IsResourceExpired(err) {
			t.Errorf("a watch from before: %v", err)
		}
		follows("after another use", 6)
		ask(2)
		pass(2 * time.Minute)
		follows("at the end", 0)
	})
}
