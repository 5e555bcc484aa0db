// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/klog/v2"
)

const (
	// buffer is how many objects of all sources wait to be put in order.
	buffer = 256
	// askAgain is how long an answer about progress is waited for at first, and askSeldom
	// at last: etcd gives none while a watch is behind.
	askAgain  = time.Millisecond
	askSeldom = 50 * time.Millisecond
	// clockCheck is how often the clock is looked at, which somebody may set, if bindings end.
	clockCheck = time.Minute
)

// epoch is a time in which every source was followed without a gap.
//
//	start ──► lists, watches ──► synced ──► done
type epoch struct {
	config Config
	cancel context.CancelFunc
	synced chan struct{} // closed when state is that of one revision
	done   chan struct{} // closed when it is not kept any more, for the reason that is in err
	err    error

	arrived  chan arrival
	progress []atomic.Uint64 // the revision up to which each source has told all
	wanted   []atomic.Uint64 // the revision of each source that something waits for
	ask      chan struct{}   // wanted is more than it was
	loose    bool            // see Config
	queues   [][]arrival     // of each source, what is not applied yet

	mu       sync.RWMutex // guards what follows
	state    *state
	revision uint64 // that of state
	log      log
	watchers map[Subject]map[*watcher]struct{}
	waiters  []waiter
}

// arrival is what came from a source: an object, or a bookmark, which has none.
type arrival struct {
	source   int
	revision uint64
	object   runtime.Object
	gone     bool
	err      error // the source cannot be followed any more
}

// waiter waits for a revision of the state.
type waiter struct {
	revision uint64
	reached  chan struct{}
	// of is the source that must have told all up to there; nil: the state is meant.
	of *atomic.Uint64
}

func start(ctx context.Context, c Config) *epoch {
	e := &epoch{
		config: c, synced: make(chan struct{}), done: make(chan struct{}),
		arrived: make(chan arrival, buffer), progress: make([]atomic.Uint64, len(c.Sources)),
		wanted: make([]atomic.Uint64, len(c.Sources)), ask: make(chan struct{}, 1), loose: c.loose(),
		queues: make([][]arrival, len(c.Sources)),
		state:  newState(), log: log{limit: c.Window}, watchers: map[Subject]map[*watcher]struct{}{},
	}
	if e.loose { // elsewhere grants end by being deleted, when the server itself says so
		e.state.endings = map[key]time.Time{}
	}
	ctx = klog.NewContext(context.Background(), klog.FromContext(ctx)) //nolint:forbidigo // goes on when the request has ended
	ctx, e.cancel = context.WithCancel(ctx)
	go func() {
		defer close(e.done)
		defer e.cancel()
		e.err = e.run(ctx)
	}()
	return e
}

func (e *epoch) ended() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// run keeps the state until ctx ends or a source cannot be followed.
func (e *epoch) run(ctx context.Context) error {
	first, err := e.load(ctx)
	if err != nil {
		return err
	}
	for i := range e.config.Sources {
		go e.follow(ctx, i, e.progress[i].Load())
	}
	go e.hurry(ctx)
	if !e.loose {
		e.want(first)
	}
	over := time.NewTimer(time.Hour) // of bindings, if there are any
	defer over.Stop()
	for {
		e.advance(first)
		if !e.state.soonest.IsZero() {
			over.Reset(min(time.Until(e.state.soonest), clockCheck))
		}
		select {
		case <-ctx.Done():
			return errClosed
		case <-over.C:
			continue
		case a := <-e.arrived:
			if err := e.take(a); err != nil {
				return err
			}
		}
		for range len(e.arrived) { // what there is already
			if err := e.take(<-e.arrived); err != nil {
				return err
			}
		}
	}
}

// load fills the state with lists, and returns the first revision at which it can be
// right: lists are as old as they are, and a newer one has what an older one lacks.
func (e *epoch) load(ctx context.Context) (uint64, error) {
	if e.config.Begin != nil {
		if err := e.config.Begin(ctx); err != nil {
			return 0, err
		}
	}
	lists := make([]runtime.Object, len(e.config.Sources))
	group, listing := errgroup.WithContext(ctx)
	for i, source := range e.config.Sources {
		group.Go(func() (err error) {
			lists[i], err = source.Objects.ListWithContext(listing, metav1.ListOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	var first uint64
	for i, list := range lists {
		accessor, err := meta.ListAccessor(list)
		if err != nil {
			return 0, err
		}
		revision, err := strconv.ParseUint(accessor.GetResourceVersion(), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("resource version of a list: %w", err)
		}
		e.progress[i].Store(revision)
		if !e.config.Sources[i].Apart {
			first = max(first, revision)
		}
		err = meta.EachListItem(list, func(obj runtime.Object) error {
			e.state.put(obj)
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return first, nil
}

// take queues what arrived.
func (e *epoch) take(a arrival) error {
	if a.err != nil {
		return a.err
	}
	told := a.revision
	if a.object != nil && e.config.Sources[a.source].Apart {
		a.revision = 0 // it says nothing of when it was
	}
	if a.object != nil {
		e.queues[a.source] = append(e.queues[a.source], a)
		told-- // there may be more of the same revision
	}
	if e.progress[a.source].Load() < told {
		e.progress[a.source].Store(told)
	}
	return nil
}

// behind is the revision up to which every source has told all.
func (e *epoch) behind() uint64 {
	least := e.progress[0].Load()
	for i := range e.progress {
		least = min(least, e.progress[i].Load())
	}
	return least
}

// next takes the oldest object out of the queues, if it is not newer than a revision.
func (e *epoch) next(limit uint64) (arrival, bool) {
	oldest := -1
	for i, queue := range e.queues {
		if len(queue) > 0 && queue[0].revision <= limit && (oldest < 0 || queue[0].revision < e.queues[oldest][0].revision) {
			oldest = i
		}
	}
	if oldest < 0 {
		return arrival{}, false
	}
	a := e.queues[oldest][0]
	e.queues[oldest][0] = arrival{}
	e.queues[oldest] = e.queues[oldest][1:]
	return a, true
}

// advance applies what there is to apply, and tells those who wait for it.
func (e *epoch) advance(first uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.loose {
		e.applyAll(first)
	} else {
		e.applyTold(first)
	}
	e.waiters = slices.DeleteFunc(e.waiters, func(w waiter) bool {
		if w.of == nil && w.revision <= e.revision || w.of != nil && w.revision <= w.of.Load() {
			close(w.reached)
			return true
		}
		return false
	})
}

// applyAll applies everything as it arrives. What is of a revision that the state has
// already had is late. A source that had less to tell than others at the first revision
// tells the rest so.
func (e *epoch) applyAll(first uint64) {
	e.state.end(time.Now())
	e.settle(first)
	e.revision = max(e.revision, first)
	e.record(e.revision, true)
	for a, ok := e.next(math.MaxUint64); ok; a, ok = e.next(math.MaxUint64) {
		e.apply(a)
		e.state.end(time.Now()) // it may have been over when it came
		late := a.revision <= e.revision
		e.revision = max(e.revision, a.revision)
		e.record(e.revision, late)
	}
	for i := range e.progress { // bookmarks
		if !e.config.Sources[i].Apart {
			e.revision = max(e.revision, e.progress[i].Load())
		}
	}
}

func (e *epoch) apply(a arrival) {
	if a.gone {
		e.state.remove(a.object)
	} else {
		e.state.put(a.object)
	}
}

// applyTold applies what every source has told, and asks for the rest. Before the first
// revision nothing is right, and nobody is told.
func (e *epoch) applyTold(first uint64) {
	limit := e.behind()
	var revision uint64 // of what was applied and is not logged
	for a, ok := e.next(limit); ok; a, ok = e.next(limit) {
		if a.revision > first && a.revision > revision {
			e.settle(first)
			if revision > 0 {
				e.record(revision, false)
			}
			revision = a.revision
		}
		e.apply(a)
	}
	if revision > 0 {
		e.record(revision, false)
	}
	if limit >= first {
		e.settle(first)
		e.revision = limit
	}
	for _, queue := range e.queues {
		if len(queue) > 0 {
			e.want(queue[len(queue)-1].revision)
		}
	}
}

// settle begins the log, once, with a state that is right.
func (e *epoch) settle(first uint64) {
	if e.log.oldest > 0 {
		return
	}
	e.state.commit()
	e.log.oldest = first
	close(e.synced)
}

// record logs what changed at a revision, and tells those who may be interested.
func (e *epoch) record(revision uint64, late bool) {
	changes, allBefore := e.state.commit()
	entry := &entry{revision: revision, late: late, applied: time.Now(), changes: changes, allBefore: allBefore, all: e.state.all}
	if !slices.Equal(entry.all, entry.allBefore) {
		touched := map[string]bool{}
		for _, c := range changes {
			touched[c.name()] = true
		}
		for name, r := range e.state.namespaces {
			if !touched[name] {
				entry.rest = append(entry.rest, r)
			}
		}
	} else if len(changes) == 0 {
		return
	}
	e.log.add(entry)
	for w := range e.interested(entry) {
		w.push(entry)
	}
}

// interested are the watches in whose view an entry may be.
func (e *epoch) interested(entry *entry) map[*watcher]struct{} {
	out := map[*watcher]struct{}{}
	if len(e.watchers) == 0 {
		return out
	}
	add := func(all subjects) {
		for _, subject := range all {
			for w := range e.watchers[subject] {
				out[w] = struct{}{}
			}
		}
	}
	add(subjects{{Group: true, Name: user.SystemPrivilegedGroup}})
	add(entry.all)
	if len(entry.rest) > 0 {
		add(entry.allBefore)
	}
	for _, c := range entry.changes {
		if c.before != nil {
			add(c.before.readers)
		}
		if c.after != nil && (c.before == nil || !slices.Equal(c.before.readers, c.after.readers)) {
			add(c.after.readers)
		}
	}
	return out
}

// want has a revision reached soon, by all sources.
func (e *epoch) want(revision uint64) {
	for i := range e.wanted {
		e.wantOf(i, revision)
	}
}

// wantOf has one source tell soon all that it has up to a revision.
func (e *epoch) wantOf(source int, revision uint64) {
	wanted := &e.wanted[source]
	for had := wanted.Load(); had < revision && !wanted.CompareAndSwap(had, revision); {
		had = wanted.Load()
	}
	select {
	case e.ask <- struct{}{}:
	default:
	}
}

// hurry asks the sources that have told less than what is wanted how far they are, until
// they have told it.
func (e *epoch) hurry(ctx context.Context) {
	pause := askAgain
	again := time.NewTimer(pause)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.ask:
			pause = askAgain
		case <-again.C:
			pause = min(2*pause, askSeldom)
		}
		behind := false
		for i := range e.progress {
			if ask := e.config.Sources[i].Progress; ask != nil && e.progress[i].Load() < e.wanted[i].Load() {
				behind = true
				_ = ask(ctx) // it is asked again
			}
		}
		if behind {
			again.Reset(pause)
		}
	}
}

// wait returns when the state is not older than a revision.
func (e *epoch) wait(ctx context.Context, revision uint64) error {
	e.mu.Lock()
	if e.revision >= revision {
		e.mu.Unlock()
		return nil
	}
	w := waiter{revision: revision, reached: make(chan struct{})}
	e.waiters = append(e.waiters, w)
	e.mu.Unlock()
	if !e.loose {
		e.want(revision)
	}
	return e.await(ctx, w)
}

func (e *epoch) await(ctx context.Context, w waiter) error {
	select {
	case <-w.reached:
		return nil
	case <-e.done:
		return apierrors.NewInternalError(errors.Join(errors.New("projects are not followed any more"), e.err))
	case <-ctx.Done():
		e.mu.Lock()
		defer e.mu.Unlock()
		e.waiters = slices.DeleteFunc(e.waiters, func(other waiter) bool { return other.reached == w.reached })
		return apierrors.NewTimeoutError("the projects are not up to date yet", retrySeconds)
	}
}
