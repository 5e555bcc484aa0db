// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/watch"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// entry is what one write did, at the revision of that write.
type entry struct {
	revision uint64
	// late says that the state was that of the revision before the entry came. A watch
	// that has the revision may have the entry or not.
	late bool
	// applied is when.
	applied time.Time
	changes []change
	// Who saw all namespaces before, and who does now. If these are not the same, rest has
	// the namespaces that did not change.
	allBefore, all subjects
	rest           []*record
}

// weight is about how much memory an entry takes, in changes.
func (e *entry) weight() int { return 1 + len(e.changes) + len(e.rest)/8 }

// view is what somebody sees: those namespaces that are open to him and that he asked
// for.
type view struct {
	who        Who
	privileged bool
	match      func(*tenancy.Project) bool
}

func newView(who Who, match func(*tenancy.Project) bool) *view {
	return &view{who: who, privileged: who.privileged(), match: match}
}

// sees says whether a record is in the view, while some see all.
func (v *view) sees(r *record, all subjects) bool {
	return r != nil && (v.privileged || v.who.in(all) || v.who.in(r.readers)) && (v.match == nil || v.match(r.project))
}

// events are what an entry means in the view. All but the last carry the revision
// before that of the entry: a watch that ends among them goes on from there and sees
// all of them again, rather than losing the others. Of a late entry it sees all again
// whenever it goes on from there.
func (v *view) events(e *entry) []watch.Event {
	var out []watch.Event
	add := func(before, after *record) {
		saw, sees := v.sees(before, e.allBefore), v.sees(after, e.all)
		switch {
		case saw && sees && before.project != after.project:
			out = append(out, watch.Event{Type: watch.Modified, Object: after.project})
		case sees && !saw:
			out = append(out, watch.Event{Type: watch.Added, Object: after.project})
		case saw && !sees:
			out = append(out, watch.Event{Type: watch.Deleted, Object: before.project})
		}
	}
	for _, c := range e.changes {
		add(c.before, c.after)
	}
	if len(e.rest) > 0 && v.who.in(e.allBefore) != v.who.in(e.all) {
		for _, r := range e.rest {
			add(r, r)
		}
		slices.SortFunc(out, func(a, b watch.Event) int {
			return cmp.Compare(a.Object.(*tenancy.Project).Name, b.Object.(*tenancy.Project).Name)
		})
	}
	for i := range out {
		revision := e.revision
		if i < len(out)-1 && !e.late {
			revision--
		}
		out[i].Object = at(out[i].Object.(*tenancy.Project), revision)
	}
	return out
}

// at returns a project with a resource version. It shares the rest.
func at(p *tenancy.Project, revision uint64) *tenancy.Project {
	out := *p
	out.ResourceVersion = strconv.FormatUint(revision, 10)
	return &out
}

// log has the last entries.
type log struct {
	entries []*entry
	weight  int
	limit   int
	// oldest is the revision after which no entry is missing.
	oldest uint64
}

func (l *log) add(e *entry) {
	l.entries = append(l.entries, e)
	l.weight += e.weight()
	for l.weight > l.limit && len(l.entries) > 1 {
		l.weight -= l.entries[0].weight()
		l.oldest = l.entries[0].revision
		if l.entries[0].late {
			l.oldest++
		}
		l.entries[0] = nil
		l.entries = l.entries[1:]
	}
}

// after returns what a watch that goes on from a revision may lack.
func (l *log) after(revision uint64) []*entry {
	i, _ := slices.BinarySearchFunc(l.entries, revision, func(e *entry, r uint64) int { return cmp.Compare(e.revision, r) })
	for ; i < len(l.entries) && l.entries[i].revision == revision && !l.entries[i].late; i++ {
		continue
	}
	return l.entries[i:]
}

// before returns the revision of the last entry that was applied before a moment.
func (l *log) before(moment time.Time) uint64 {
	i, _ := slices.BinarySearchFunc(l.entries, moment, func(e *entry, t time.Time) int { return e.applied.Compare(t) })
	if i == 0 {
		return l.oldest
	}
	return max(l.oldest, l.entries[i-1].revision)
}

// since returns the entries after a revision.
func (l *log) since(revision uint64) []*entry {
	i, _ := slices.BinarySearchFunc(l.entries, revision+1, func(e *entry, r uint64) int { return cmp.Compare(e.revision, r) })
	return l.entries[i:]
}
