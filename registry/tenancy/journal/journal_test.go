// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/storage"

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

// TestFuture refuses a revision that there is not yet, and does not go on to ask for it. One who does not wait
// any more keeps nobody from what there is.
func TestFuture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory()
		h.put(namespaceNamed("n1"))
		var asked atomic.Int64
		var slow atomic.Bool
		sources := h.sources()
		for _, source := range sources {
			progress := source.Progress
			source.Progress = func(ctx context.Context) error {
				asked.Add(1)
				if slow.Load() {
					return nil
				}
				return progress(ctx)
			}
		}
		j := journal.New(journal.Config{Sources: sources, IdleAfter: 24 * time.Hour})
		defer j.Close()
		root := (&observer{person: person{"root", []string{"system:masters"}}}).who()
		if _, _, err := j.List(t.Context(), root, journal.Freshness{}); err != nil {
			t.Fatal(err)
		}
		before := asked.Load()
		for _, f := range []journal.Freshness{{Revision: 1 << 62}, {Revision: 1 << 62, Exact: true}} {
			if _, _, err := j.List(t.Context(), root, f); !storage.IsTooLargeResourceVersion(err) {
				t.Errorf("list: %v", err)
			}
		}
		<-time.After(time.Hour)
		if after := asked.Load(); after != before {
			t.Errorf("asked how far the sources are %d times more", after-before)
		}

		slow.Store(true)
		h.other()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := j.List(ctx, root, journal.Freshness{}); !apierrors.IsTimeout(err) {
			t.Errorf("list while nobody tells: %v", err)
		}
		slow.Store(false)
		if _, _, err := j.List(t.Context(), root, journal.Freshness{}); err != nil {
			t.Errorf("list once they tell: %v", err)
		}
	})
}
