// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/tenancy/journal"
)

// behind are the sources of a server behind a host: nobody tells how far those of the
// host are, and tenants have a history of their own.
func behind(host, own *history) []*kind.Source {
	var out []*kind.Source
	for i, example := range resources() {
		of := host
		if _, ok := example.(*tenancy.Tenant); ok {
			of = own
		}
		source := of.sources()[i]
		if of == own {
			source.Apart = true
		} else {
			source.Progress = nil
		}
		out = append(out, source)
	}
	return out
}

// reflector lists and watches as a reflector does, through servers that come and go.
type reflector struct {
	observer

	journal *atomic.Pointer[journal.Journal]
	mu      sync.Mutex
	has     map[string]string // the label x by name
}

func (f *reflector) follow(ctx context.Context) {
	revision := uint64(0)
	for ctx.Err() == nil {
		if revision == 0 {
			items, at, err := f.journal.Load().List(ctx, f.who(), journal.Freshness{Any: rand.IntN(2) == 0})
			if err != nil {
				continue // the server stops
			}
			revision = at
			f.mu.Lock()
			f.has = map[string]string{}
			for _, p := range items {
				f.has[p.Name] = p.Labels["x"]
			}
			f.mu.Unlock()
		}
		revision = f.watch(ctx, revision)
	}
}

func (f *reflector) watch(ctx context.Context, from uint64) uint64 {
	w, err := f.journal.Load().Watch(ctx, f.who(), journal.WatchOptions{From: from, Bookmarks: true})
	if apierrors.IsResourceExpired(err) {
		return 0
	}
	if err != nil {
		return from // the server stops
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		p := event.Object.(*tenancy.Project)
		if from, err = strconv.ParseUint(p.ResourceVersion, 10, 64); err != nil {
			f.fail(err)
		}
		f.mu.Lock()
		switch event.Type {
		case watch.Added, watch.Modified:
			f.has[p.Name] = p.Labels["x"]
		case watch.Deleted:
			delete(f.has, p.Name)
		case watch.Bookmark, watch.Error:
		}
		f.mu.Unlock()
		if rand.IntN(20) == 0 {
			break
		}
	}
	return from
}

// TestBehind has people list and watch behind a host, through reconnects, restarts and
// compactions, while everything changes; in the end everybody has what he sees.
func TestBehind(t *testing.T) {
	t.Parallel()
	host, own := newHistory(), newHistory()
	host.sudden = true
	begin := func(ctx context.Context) error {
		host.other()
		return ctx.Err()
	}
	fresh := func() *journal.Journal {
		return journal.New(journal.Config{Sources: behind(host, own), Begin: begin, Window: 500, BookmarkEvery: 3 * time.Millisecond})
	}
	var server atomic.Pointer[journal.Journal]
	server.Store(fresh())
	ctx, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	var reflectors []*reflector
	for _, p := range people() {
		f := &reflector{observer: observer{person: p}, journal: &server, has: map[string]string{}}
		reflectors = append(reflectors, f)
		following.Go(func() { f.follow(ctx) })
	}
	for range writes(t) {
		if rand.IntN(6) == 0 {
			changeTenant(own)
		} else {
			act(host)
		}
		switch rand.IntN(200) {
		case 0:
			host.breakWatches()
		case 1:
			host.compact(pick(resources()...))
		case 2:
			server.Swap(fresh()).Close()
		}
		if rand.IntN(10) == 0 { // let the others come after
			_, _, _ = server.Load().List(t.Context(), nil, journal.Freshness{Any: true})
		}
	}
	now := newTruth()
	for _, h := range []*history{host, own} {
		for _, w := range h.written {
			if _, tenant := w.object.(*tenancy.Tenant); tenant == (h == own) {
				now.apply(w)
			}
		}
	}
	for _, f := range reflectors {
		want := map[string]string{}
		for name, s := range now.visible(f.person) {
			want[name] = s.label
		}
		err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return maps.Equal(want, f.has), nil
		})
		if err != nil {
			t.Errorf("%s (-want +has):\n%s", f.name, gocmp.Diff(want, f.has))
		}
		items, _, err := server.Load().List(t.Context(), f.who(), journal.Freshness{})
		if err != nil || len(items) != len(want) {
			t.Errorf("%s lists %d of %d, %v", f.name, len(items), len(want), err)
		}
	}
	stop()
	following.Wait()
	server.Load().Close()
	for _, f := range reflectors {
		for _, err := range f.errs {
			t.Error(err)
		}
	}
}

func changeTenant(h *history) {
	one := &tenancy.Tenant{ObjectMeta: metav1.ObjectMeta{Name: pick("a", "b")}, Spec: tenancy.TenantSpec{Owners: anySubjects()}}
	if rand.IntN(3) == 0 {
		h.remove(one)
		return
	}
	h.put(one)
}

// A tenant that changes while nothing else does has no revision of the host: a watch
// that goes on from the last one hears of the change all the same, and again.
func TestLate(t *testing.T) {
	t.Parallel()
	host, own := newHistory(), newHistory()
	space := namespaceNamed("shop")
	space.Labels = map[string]string{"tenancy.stoa.dev/tenant": "blue"}
	host.put(space)
	j := journal.New(journal.Config{Sources: behind(host, own)})
	defer j.Close()
	ann := (&observer{person: person{name: "ann"}}).who()
	none, revision, err := j.List(t.Context(), ann, journal.Freshness{})
	if err != nil || len(none) != 0 {
		t.Fatalf("ann sees %v, %v", none, err)
	}
	owners := []rbacv1.Subject{{Kind: "User", Name: "ann"}}
	own.put(&tenancy.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "blue"}, Spec: tenancy.TenantSpec{Owners: owners}})
	for range 2 {
		w, err := j.Watch(t.Context(), ann, journal.WatchOptions{From: revision})
		if err != nil {
			t.Fatal(err)
		}
		event := <-w.ResultChan()
		if p, ok := event.Object.(*tenancy.Project); !ok || event.Type != watch.Added || p.Name != "shop" || p.ResourceVersion != fmt.Sprint(revision) {
			t.Errorf("got %v, want shop at %d", event, revision)
		}
		w.Stop()
	}
	some, at, err := j.List(t.Context(), ann, journal.Freshness{})
	if err != nil || len(some) != 1 || at != revision {
		t.Errorf("ann sees %v at %d, %v", some, at, err)
	}
	// One who comes with a revision of a host that was there before begins anew.
	if _, err := j.Watch(t.Context(), ann, journal.WatchOptions{From: revision + 100}); !apierrors.IsResourceExpired(err) {
		t.Errorf("from the future: %v", err)
	}
}

// The binding of a grant shows its namespace until it is over, also if a host does not hear
// of that; one that was over when it came shows nothing. Other bindings are believed for as
// long as the host does.
func TestOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		host, own := newHistory(), newHistory()
		bind := func(namespace, name string, end time.Duration, owners ...metav1.OwnerReference) *rbacv1.RoleBinding {
			return &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, OwnerReferences: owners, Annotations: map[string]string{
					"tenancy.stoa.dev/expires-at": time.Now().Add(end).UTC().Format(time.RFC3339),
				}},
				Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"},
			}
		}
		grant := metav1.OwnerReference{APIVersion: "tenancy.stoa.dev/v1", Kind: "Grant", Name: "ann", Controller: new(true)}
		host.put(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}})
		for _, name := range []string{"hour", "day", "over", "other"} {
			host.put(namespaceNamed(name))
		}
		host.put(bind("hour", "grant:ann", time.Hour, grant))
		host.put(bind("over", "grant:ann", -time.Hour, grant))
		host.put(bind("other", "ann", -time.Hour))
		j := journal.New(journal.Config{Sources: behind(host, own)})
		defer j.Close()
		ann := (&observer{person: person{name: "ann"}}).who()
		sees := func(want ...string) (revision uint64) {
			t.Helper()
			list, revision, err := j.List(t.Context(), ann, journal.Freshness{})
			var got []string
			for _, p := range list {
				got = append(got, p.Name)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("ann sees %v, want %v, %v", got, want, err)
			}
			return revision
		}
		w, err := j.Watch(t.Context(), ann, journal.WatchOptions{From: sees("hour", "other")})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
		began := time.Now()
		host.put(bind("day", "grant:ann", 24*time.Hour, grant))
		for _, want := range []string{"ADDED day 0", "DELETED hour 1", "DELETED day 24"} {
			event := <-w.ResultChan()
			if got := fmt.Sprint(event.Type, " ", event.Object.(*tenancy.Project).Name, " ", int(time.Since(began).Hours())); got != want {
				t.Errorf("the watch has %s, want %s", got, want)
			}
		}
		sees("other")
		host.remove(bind("day", "grant:ann", 0, grant)) // which nobody notices any more
		sees("other")
	})
}

// A host that is away leaves what it said last.
func TestAway(t *testing.T) {
	t.Parallel()
	host, own := newHistory(), newHistory()
	host.put(namespaceNamed("shop"))
	sources := behind(host, own)
	var away atomic.Bool
	for _, source := range sources {
		ask := source.Revision
		source.Revision = func(ctx context.Context) (uint64, error) {
			if away.Load() {
				return 0, nil
			}
			return ask(ctx)
		}
	}
	j := journal.New(journal.Config{Sources: sources})
	defer j.Close()
	root := (&observer{person: person{name: "root", groups: []string{"system:masters"}}}).who()
	for range 2 {
		all, _, err := j.List(t.Context(), root, journal.Freshness{})
		if err != nil || len(all) != 1 {
			t.Errorf("away %t: %v, %v", away.Load(), all, err)
		}
		away.Store(true)
	}
}
