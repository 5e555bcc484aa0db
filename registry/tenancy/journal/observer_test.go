// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/registry/tenancy/journal"
)

// observer is somebody who lists and watches as a reflector does.
type observer struct {
	person
	journal *journal.Journal
	selects bool // those with the label x=1
	last    *atomic.Uint64

	lists   []listed
	watches []*watched
	errs    []error
}

// listed is what a list had.
type listed struct {
	revision uint64
	items    map[string]seen
}

// watched is what a watch had that began at a revision, until it was cut off.
type watched struct {
	from   uint64
	events []received
}

// received is an event.
type received struct {
	Type     watch.EventType
	Name     string
	Revision uint64
}

func (o *observer) who() journal.Who {
	return journal.NewWho(&user.DefaultInfo{Name: o.name, Groups: o.groups})
}

func (o *observer) match(p *tenancy.Project) bool { return !o.selects || p.Labels["x"] == "1" }

func (o *observer) fail(err error) { o.errs = append(o.errs, err) }

// run lists and watches until everything was seen.
func (o *observer) run(ctx context.Context) {
	revision := uint64(0)
	for ctx.Err() == nil && !o.done(revision) {
		if revision == 0 {
			if revision = o.list(ctx, journal.Freshness{Any: rand.IntN(2) == 0}); revision == 0 {
				continue // the journal began anew
			}
		}
		if rand.IntN(4) == 0 { // a page of a list that began before
			o.list(ctx, journal.Freshness{Revision: revision, Exact: true})
		}
		if !o.done(revision) {
			revision = o.watch(ctx, revision)
		}
	}
}

// done says whether everything was seen at a revision.
func (o *observer) done(revision uint64) bool {
	last := o.last.Load()
	return last > 0 && revision >= last
}

// list returns the revision of a list, 0 if there was none.
func (o *observer) list(ctx context.Context, f journal.Freshness) uint64 {
	items, revision, err := o.journal.List(ctx, o.who(), f)
	if err != nil {
		if !apierrors.IsResourceExpired(err) && !apierrors.IsInternalError(err) {
			o.fail(err)
		}
		return 0
	}
	out := listed{revision, map[string]seen{}}
	if !slices.IsSortedFunc(items, func(a, b *tenancy.Project) int { return cmp.Compare(a.Name, b.Name) }) {
		o.fail(fmt.Errorf("a list is not in order: %v", items))
	}
	for _, p := range items {
		if o.match(p) {
			out.items[p.Name] = seen{p.ResourceVersion, p.Labels["x"]}
		}
	}
	o.lists = append(o.lists, out)
	return revision
}

// watch returns the resource version to go on from, 0 for a new list.
func (o *observer) watch(ctx context.Context, from uint64) uint64 {
	events, err := o.journal.Watch(ctx, o.who(), journal.WatchOptions{From: from, Match: o.match, Bookmarks: true})
	if apierrors.IsResourceExpired(err) {
		return 0
	}
	if err != nil {
		if !apierrors.IsInternalError(err) {
			o.fail(err)
		}
		return from
	}
	defer events.Stop()
	w := &watched{from: from}
	o.watches = append(o.watches, w)
	for event := range events.ResultChan() {
		p := event.Object.(*tenancy.Project)
		revision, err := strconv.ParseUint(p.ResourceVersion, 10, 64)
		if err != nil {
			o.fail(err)
		}
		w.events = append(w.events, received{event.Type, p.Name, revision})
		from = revision
		if o.done(revision) || rand.IntN(20) == 0 {
			break
		}
	}
	return from
}

// expected are the events from one revision to the next.
func expected(before, after map[string]seen, revision uint64) []received {
	var out []received
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		had, saw := before[name]
		has, sees := after[name]
		switch {
		case !saw:
			out = append(out, received{watch.Added, name, revision - 1})
		case !sees:
			out = append(out, received{watch.Deleted, name, revision - 1})
		case had != has:
			out = append(out, received{watch.Modified, name, revision - 1})
		}
	}
	if len(out) > 0 {
		out[len(out)-1].Revision = revision
	}
	return out
}

// check compares what was received with what everybody saw at each revision, and returns
// how many events that were.
func (o *observer) check(t *testing.T, moments []map[string]map[string]seen) (count int) {
	t.Helper()
	name := fmt.Sprintf("%s (selects: %t)", o.name, o.selects)
	for _, err := range o.errs {
		t.Errorf("%s: %v", name, err)
	}
	saw := func(revision uint64) map[string]seen {
		out := maps.Clone(moments[revision][o.name])
		maps.DeleteFunc(out, func(_ string, s seen) bool { return o.selects && s.label != "1" })
		return out
	}
	for _, l := range o.lists {
		if diff := gocmp.Diff(saw(l.revision), l.items, gocmp.AllowUnexported(seen{})); diff != "" {
			t.Fatalf("%s: list at %d (-want +got):\n%s", name, l.revision, diff)
		}
	}
	for _, w := range o.watches {
		var want []received // of what is not received yet
		revision := w.from
		before := saw(revision)
		reach := func(to uint64) {
			for revision < to {
				revision++
				after := saw(revision)
				want = append(want, expected(before, after, revision)...)
				before = after
			}
		}
		for i, got := range w.events {
			reach(got.Revision)
			switch {
			case got.Type == watch.Bookmark && len(want) > 0:
				t.Fatalf("%s: bookmark %d of a watch from %d, but %v is missing", name, got.Revision, w.from, want)
			case got.Type == watch.Bookmark:
				continue
			case len(want) == 0 && int(revision) < len(moments)-1: // the first of several
				reach(got.Revision + 1)
			}
			count++
			if len(want) == 0 || want[0] != got {
				t.Fatalf("%s: event %d of a watch from %d is %v, want one of %v", name, i, w.from, got, want)
			}
			want = want[1:]
		}
	}
	return count
}
