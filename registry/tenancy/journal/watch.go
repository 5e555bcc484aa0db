// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"
	utilflowcontrol "k8s.io/apiserver/pkg/util/flowcontrol"

	"github.com/stoa-project/stoa/apis/tenancy"
)

const (
	// backlog is how many entries a watch may be behind before it is ended.
	backlog = 10_000
	// early is how long before its time is up a watch sends a last bookmark.
	early = 2 * time.Second
)

// WatchOptions say what a watch sends.
type WatchOptions struct {
	// Match says which projects are wanted. Nil: all.
	Match func(*tenancy.Project) bool
	// From is the revision after which changes are sent.
	From uint64
	// Initial sends first what is there at a revision that From allows.
	Initial *Freshness
	// Bookmarks says how far the watch has come now and then, and InitialEnd when what is
	// there has been sent.
	Bookmarks, InitialEnd bool
}

// Watch sends the changes of what somebody sees until ctx ends.
func (j *Journal) Watch(ctx context.Context, who Who, o WatchOptions) (_ watch.Interface, err error) {
	leave := j.enter()
	defer func() {
		if err != nil {
			leave()
		}
	}()
	freshness := Freshness{Any: true}
	switch {
	case o.Initial != nil:
		freshness = *o.Initial
	case j.config.loose() && o.From > 0:
		freshness = Freshness{Revision: o.From}
	}
	e, err := j.reach(ctx, freshness)
	if o.Initial == nil && storage.IsTooLargeResourceVersion(err) { // of a history that is lost
		return nil, apierrors.NewResourceExpired(err.Error())
	}
	if err != nil {
		return nil, err
	}
	w := &watcher{
		journal: j, epoch: e, leave: leave, view: newView(who, o.Match), bookmarks: o.Bookmarks,
		news: make(chan struct{}, 1), result: make(chan watch.Event), stopped: make(chan struct{}),
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var initial []watch.Event
	switch {
	case o.Initial != nil:
		initial = e.initial(w.view, o.InitialEnd)
		w.sent = e.revision
	case o.From < e.log.oldest:
		return nil, tooOld(o.From, e.log.oldest)
	default:
		w.sent = o.From
		if j.config.Overlap > 0 {
			w.sent = min(w.sent, e.log.before(time.Now().Add(-j.config.Overlap)))
		}
		for _, entry := range e.log.after(w.sent) {
			w.push(entry)
		}
	}
	e.register(w)
	go w.run(ctx, initial)
	return w, nil
}

// initial are events for all that is there. They are in the order of their revisions, so
// that a watch that ends among them can go on from there.
func (e *epoch) initial(v *view, end bool) []watch.Event {
	there := slices.DeleteFunc(e.list(v), func(p *tenancy.Project) bool { return v.match != nil && !v.match(p) })
	slices.SortStableFunc(there, func(a, b *tenancy.Project) int {
		return cmp.Or(cmp.Compare(len(a.ResourceVersion), len(b.ResourceVersion)), cmp.Compare(a.ResourceVersion, b.ResourceVersion))
	})
	out := make([]watch.Event, len(there), len(there)+1)
	for i, p := range there {
		copied := *p
		out[i] = watch.Event{Type: watch.Added, Object: &copied}
	}
	if end {
		out = append(out, bookmark(e.revision, map[string]string{metav1.InitialEventsAnnotationKey: "true"}))
	}
	return out
}

func bookmark(revision uint64, annotations map[string]string) watch.Event {
	return watch.Event{Type: watch.Bookmark, Object: &tenancy.Project{ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: strconv.FormatUint(revision, 10), Annotations: annotations,
	}}}
}

func (e *epoch) register(w *watcher) {
	for _, subject := range w.view.who {
		insert(e.watchers, subject, w)
	}
}

func (e *epoch) unregister(w *watcher) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, subject := range w.view.who {
		drop(e.watchers, subject, w)
	}
}

// watcher is a watch of somebody. It is in its epoch from when it is made until it ends.
type watcher struct {
	journal   *Journal
	epoch     *epoch
	leave     func()
	view      *view
	bookmarks bool
	result    chan watch.Event
	stopped   chan struct{}
	stop      sync.Once

	news chan struct{} // the queue is not empty

	mu     sync.Mutex // guards what follows
	queue  []*entry
	behind bool   // the queue was longer than it may be
	sent   uint64 // the revision of what was sent last
}

var _ watch.Interface = (*watcher)(nil)

// ResultChan implements watch.Interface.
func (w *watcher) ResultChan() <-chan watch.Event { return w.result }

// Stop implements watch.Interface.
func (w *watcher) Stop() { w.stop.Do(func() { close(w.stopped) }) }

// push adds an entry that may be in the view. It is called with the lock of the epoch.
func (w *watcher) push(e *entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.revision < w.sent || e.revision == w.sent && !e.late { // the watch asked for what comes later
		return
	}
	if len(w.queue) == backlog {
		w.behind, w.queue = true, nil
	}
	if !w.behind {
		w.queue = append(w.queue, e)
	}
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// take returns what is to be sent now, and false if the watch lost something.
func (w *watcher) take() ([]*entry, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.queue
	w.queue = nil
	return out, !w.behind
}

// run sends events until ctx or the epoch ends, somebody stops it, or it is too slow. A
// client whose watch ends so comes again with the resource version of what it got last.
func (w *watcher) run(ctx context.Context, initial []watch.Event) {
	defer w.leave()
	defer close(w.result)
	defer w.epoch.unregister(w)
	if !w.send(ctx, initial) {
		return
	}
	utilflowcontrol.WatchInitialized(ctx)
	timer := time.NewTimer(w.pause(ctx))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.stopped:
			return
		case <-w.epoch.done:
			return
		case <-w.news:
			if !w.forward(ctx) {
				return
			}
		case <-timer.C:
			if w.bookmarks && !w.mark(ctx) {
				return
			}
			timer.Reset(w.pause(ctx))
		}
	}
}

// forward sends what is in the queue.
func (w *watcher) forward(ctx context.Context) bool {
	entries, ok := w.take()
	if !ok {
		return false
	}
	for _, entry := range entries {
		if !w.send(ctx, w.view.events(entry)) {
			return false
		}
	}
	return true
}

func (w *watcher) send(ctx context.Context, events []watch.Event) bool {
	for _, event := range events {
		select {
		case w.result <- event:
		case <-ctx.Done():
			return false
		case <-w.stopped:
			return false
		case <-w.epoch.done:
			return false
		}
	}
	return true
}

// mark sends a bookmark that is as new as what was written before, if that can be known.
func (w *watcher) mark(ctx context.Context) bool {
	within, cancel := context.WithTimeout(ctx, early/2)
	defer cancel()
	_, _ = w.journal.reach(within, Freshness{Any: w.epoch.loose}) // otherwise it is older
	if !w.forward(ctx) {
		return false
	}
	w.epoch.mu.RLock()
	w.mu.Lock()
	revision, more := w.epoch.revision, len(w.queue) > 0 || w.behind || w.epoch.revision <= w.sent
	if !more {
		w.sent = revision
	}
	w.mu.Unlock()
	w.epoch.mu.RUnlock()
	return more || w.send(ctx, []watch.Event{bookmark(revision, nil)})
}

// pause is how long the next bookmark waits: a while, but it comes before the time of the
// watch is up.
func (w *watcher) pause(ctx context.Context) time.Duration {
	pause := w.journal.config.BookmarkEvery
	if end, ok := ctx.Deadline(); ok {
		if left := time.Until(end) - early; left > 0 {
			pause = min(pause, left)
		}
	}
	return pause
}
