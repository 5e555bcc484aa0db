// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/storage"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/registry/kind"
)

const (
	// window is how many changes a watch can be behind and still go on.
	window = 20_000
	// patience is how long a read waits for a revision that nothing has had yet.
	patience = 3 * time.Second
	// idleAfter is longer than clients stay away that come again with a resource version.
	idleAfter = 10 * time.Minute
	// retrySeconds is when a client may come again that was told to wait.
	retrySeconds = 1
)

// errClosed is for requests that come when the server stops.
var errClosed = errors.New("the server stops")

// Config says what a journal follows.
type Config struct {
	// Sources are the namespaces, the roles and bindings, and the tenants. The first one
	// is asked what the current revision is.
	Sources []*kind.Source
	// Window is how many changes are kept for watches that come again; 0: 20 000.
	Window int
	// BookmarkEvery is how long a watch without news waits for a bookmark; 0: a minute.
	BookmarkEvery time.Duration
	// IdleAfter is how long nobody asks or watches before all is forgotten; 0: ten minutes.
	IdleAfter time.Duration
	// Begin is called before the sources are listed. What is read then is newer than
	// everything that was read before. Nil: it is without that.
	Begin func(context.Context) error
	// Overlap is how long ago an entry may be that a watch that comes from another server
	// gets again: that server may have heard of it later. 0: there is no other server.
	Overlap time.Duration
}

// loose says whether nobody can tell how far the sources are together: those of a host
// tell what happened, in order, and no more; and not all are of one history.
func (c Config) loose() bool {
	return slices.ContainsFunc(c.Sources, func(s *kind.Source) bool { return s.Progress == nil || s.Apart })
}

// Journal knows who sees which namespace, and what changed about it.
type Journal struct {
	config Config

	mu     sync.Mutex
	now    *epoch // nil before the first use, and when it is idle
	closed bool
	users  int         // who asks or watches
	left   time.Time   // when the last of them did
	idle   *time.Timer // looks whether nobody has come since; nil if nobody has left
}

// New returns a journal, which does nothing before its first use.
func New(c Config) *Journal {
	c.Window = cmp.Or(c.Window, window)
	c.BookmarkEvery = cmp.Or(c.BookmarkEvery, time.Minute)
	c.IdleAfter = cmp.Or(c.IdleAfter, idleAfter)
	return &Journal{config: c}
}

// Close ends all watches. What is asked later is refused.
func (j *Journal) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	if j.now != nil {
		j.now.cancel()
	}
	if j.idle != nil {
		j.idle.Stop()
	}
}

// enter says that somebody asks or watches, until he calls what it returns.
func (j *Journal) enter() (leave func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.users++
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.users--
		j.left = time.Now()
		if j.users == 0 && j.idle == nil && !j.closed {
			j.idle = time.AfterFunc(j.config.IdleAfter, j.rest)
		}
	}
}

// rest forgets everything if nobody has come for long: the next use begins anew.
func (j *Journal) rest() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.idle = nil
	if j.closed || j.users > 0 || j.now == nil {
		return // who is there leaves later
	}
	if left := j.config.IdleAfter - time.Since(j.left); left > 0 {
		j.idle = time.AfterFunc(left, j.rest)
		return
	}
	j.now.cancel()
	j.now = nil
}

// epoch returns what is known, and begins to know it if nothing is. An epoch ends when a
// source cannot be followed any more; watches then end, and a new one begins with the
// next use, which knows nothing of what was before it.
func (j *Journal) epoch(ctx context.Context) (*epoch, error) {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil, apierrors.NewServiceUnavailable(errClosed.Error())
	}
	if j.now == nil || j.now.ended() {
		j.now = start(ctx, j.config)
	}
	e := j.now
	j.mu.Unlock()
	select {
	case <-e.synced:
		return e, nil
	case <-e.done:
		return nil, apierrors.NewInternalError(fmt.Errorf("follow namespaces, roles, bindings and tenants: %w", e.err))
	case <-ctx.Done():
		return nil, apierrors.NewTimeoutError("the projects are not known yet", retrySeconds)
	}
}

// Freshness says how new must be what is read.
type Freshness struct {
	// Any takes what is known. Otherwise it is at least Revision, or as new as anything
	// that was written before, if that is zero.
	Any      bool
	Revision uint64
	// Exact wants just Revision.
	Exact bool
}

// reach returns an epoch that is as new as it must be.
func (j *Journal) reach(ctx context.Context, f Freshness) (*epoch, error) {
	e, err := j.epoch(ctx)
	if err != nil || f.Any {
		return e, err
	}
	revision := f.Revision
	if e.loose && (revision == 0 || revision > e.now()) {
		err := e.catchUp(ctx)
		if err != nil && e.ended() && ctx.Err() == nil {
			return j.reach(ctx, f) // a new epoch has everything
		}
		if err != nil || revision == 0 {
			return e, err
		}
	}
	if !e.loose && (revision == 0 || revision > e.now()) {
		current, err := j.config.Sources[0].Revision(ctx)
		if err != nil {
			return nil, apierrors.NewInternalError(fmt.Errorf("ask for the current revision: %w", err))
		}
		if revision > current { // nobody has it from a server, and to wait for it would be to ask for ever
			return nil, storage.NewTooLargeResourceVersionError(revision, current, retrySeconds)
		}
		if revision == 0 {
			return e, e.wait(ctx, current)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := e.wait(ctx, revision); apierrors.IsTimeout(err) {
		e.mu.RLock()
		defer e.mu.RUnlock()
		return nil, storage.NewTooLargeResourceVersionError(revision, e.revision, retrySeconds)
	} else if err != nil {
		return nil, err
	}
	return e, nil
}

// Get returns a project that somebody sees, nil if he sees none of that name, and the
// revision of that.
func (j *Journal) Get(ctx context.Context, who Who, name string, f Freshness) (*tenancy.Project, uint64, error) {
	defer j.enter()()
	e, err := j.reach(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	r := e.state.namespaces[name]
	if !newView(who, nil).sees(r, e.state.all) {
		return nil, e.revision, nil
	}
	return r.project, e.revision, nil
}

// List returns the projects that somebody sees, by name, and the revision of that.
// Nobody may change them.
func (j *Journal) List(ctx context.Context, who Who, f Freshness) ([]*tenancy.Project, uint64, error) {
	defer j.enter()()
	e, err := j.reach(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	v := newView(who, nil)
	if !f.Exact || f.Revision == e.revision {
		return e.list(v), e.revision, nil
	}
	if f.Revision < e.log.oldest {
		return nil, 0, tooOld(f.Revision, e.log.oldest)
	}
	return e.listThen(v, f.Revision), f.Revision, nil
}

func tooOld(revision, oldest uint64) error {
	return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", revision, oldest))
}

// list returns what is seen now.
func (e *epoch) list(v *view) []*tenancy.Project {
	var names []string
	if v.privileged || v.who.in(e.state.all) {
		names = slices.Collect(maps.Keys(e.state.namespaces))
	} else {
		for _, subject := range v.who {
			names = slices.AppendSeq(names, maps.Keys(e.state.visible[subject]))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	out := make([]*tenancy.Project, 0, len(names))
	for _, name := range names {
		if r := e.state.namespaces[name]; r != nil {
			out = append(out, r.project)
		}
	}
	return out
}

// listThen returns what was seen at a revision: what is there now, with the entries since
// undone.
func (e *epoch) listThen(v *view, revision uint64) []*tenancy.Project {
	all, then := e.state.all, maps.Clone(e.state.namespaces)
	for _, entry := range slices.Backward(e.log.since(revision)) {
		all = entry.allBefore
		for _, c := range entry.changes {
			if c.before == nil {
				delete(then, c.name())
			} else {
				then[c.name()] = c.before
			}
		}
	}
	var out []*tenancy.Project
	for _, r := range then {
		if v.sees(r, all) {
			out = append(out, r.project)
		}
	}
	slices.SortFunc(out, func(a, b *tenancy.Project) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Tenant returns what there is of a tenant now; nil if there is no such tenant. Nobody
// may change it.
func (j *Journal) Tenant(ctx context.Context, name string) (*Tenant, error) {
	defer j.enter()()
	e, err := j.reach(ctx, Freshness{})
	if err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.state.tenants[name], nil
}

// Members returns the names of the namespaces that a tenant has now.
func (j *Journal) Members(ctx context.Context, tenant string) (map[string]struct{}, error) {
	defer j.enter()()
	e, err := j.reach(ctx, Freshness{})
	if err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return maps.Clone(e.state.members[tenant]), nil
}
