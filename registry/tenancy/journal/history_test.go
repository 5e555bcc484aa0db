// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/registry/kind"
)

// object is what is stored.
type object interface {
	runtime.Object
	metav1.Object
}

// history is an etcd in memory: objects of several resources with one revision, and
// everything that was written. Its watches are late, each by as much as it likes.
type history struct {
	mu       sync.Mutex
	revision uint64
	objects  map[string]object
	written  []write
	watches  map[*lateWatch]struct{}
	// compacted is the revision before which nothing is known any more.
	compacted uint64
	// sudden has namespaces go at once, and not end first.
	sudden bool
}

type write struct {
	resource, key string
	revision      uint64
	object        object
	gone          bool
}

func newHistory() *history {
	return &history{revision: 1, objects: map[string]object{}, watches: map[*lateWatch]struct{}{}}
}

// resources are the types of the sources.
func resources() []object {
	return []object{&corev1.Namespace{}, &rbacv1.Role{}, &rbacv1.ClusterRole{}, &rbacv1.RoleBinding{}, &rbacv1.ClusterRoleBinding{}, &tenancy.Tenant{}}
}

func keyOf(obj object) (string, string) {
	resource := fmt.Sprintf("%T", obj)
	return resource, resource + "/" + obj.GetNamespace() + "/" + obj.GetName()
}

// put writes an object.
func (h *history) put(obj object) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.write(obj.DeepCopyObject().(object), false)
}

// remove deletes an object, if it is there.
func (h *history) remove(obj object) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, key := keyOf(obj)
	had := h.objects[key]
	if had != nil {
		h.write(had.DeepCopyObject().(object), true)
	}
}

// other is a write to something else.
func (h *history) other() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.revision++
}

func (h *history) write(obj object, gone bool) {
	h.revision++
	obj.SetResourceVersion(strconv.FormatUint(h.revision, 10))
	resource, key := keyOf(obj)
	if gone {
		delete(h.objects, key)
	} else {
		h.objects[key] = obj
	}
	h.written = append(h.written, write{resource, key, h.revision, obj, gone})
	for w := range h.watches {
		w.wake()
	}
}

// get returns an object of the type of example.
func (h *history) get(example object) object {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, key := keyOf(example)
	return h.objects[key]
}

// watching is how many watches there are.
func (h *history) watching() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watches)
}

// compact forgets what was, and ends all watches of a resource.
func (h *history) compact(resource object) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.compacted = h.revision
	of, _ := keyOf(resource)
	for w := range h.watches {
		if w.resource == of {
			w.expire()
		}
	}
}

// breakWatches ends all watches, which can go on.
func (h *history) breakWatches() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watches {
		w.Stop()
	}
}

func (h *history) sources() []*kind.Source {
	var out []*kind.Source
	for _, example := range resources() {
		resource, _ := keyOf(example)
		s := &lateSource{h, resource}
		out = append(out, &kind.Source{Objects: s, Revision: s.current, Progress: s.progress})
	}
	return out
}

// lateSource is a resource of a history.
type lateSource struct {
	*history
	resource string
}

func (s *lateSource) current(context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision, nil
}

// progress has some of the watches tell how far they are; etcd does not always either.
func (s *lateSource) progress(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watches {
		if w.resource == s.resource && rand.IntN(4) > 0 {
			w.asked = true
			w.wake()
		}
	}
	return nil
}

// ListWithContext implements cache.ListerWithContext.
func (s *lateSource) ListWithContext(context.Context, metav1.ListOptions) (runtime.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &metav1.List{}
	out.ResourceVersion = strconv.FormatUint(s.revision, 10)
	for key, obj := range s.objects {
		if strings.HasPrefix(key, s.resource+"/") {
			out.Items = append(out.Items, runtime.RawExtension{Object: obj})
		}
	}
	return out, nil
}

// WatchWithContext implements cache.WatcherWithContext.
func (s *lateSource) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	from, err := strconv.ParseUint(options.ResourceVersion, 10, 64)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if from < s.compacted {
		return nil, apierrors.NewResourceExpired("too old")
	}
	w := &lateWatch{history: s.history, resource: s.resource, sent: from, events: make(chan watch.Event), news: make(chan struct{}, 1), stopped: make(chan struct{})}
	s.watches[w] = struct{}{}
	context.AfterFunc(ctx, w.Stop)
	go w.run()
	w.wake()
	return w, nil
}

// lateWatch sends what was written to a resource.
type lateWatch struct {
	history  *history
	resource string
	events   chan watch.Event
	news     chan struct{}
	stopped  chan struct{}
	stop     sync.Once

	// The lock of the history guards what follows.
	sent           uint64
	asked, expired bool
}

func (w *lateWatch) ResultChan() <-chan watch.Event { return w.events }
func (w *lateWatch) Stop()                          { w.stop.Do(func() { close(w.stopped) }) }

func (w *lateWatch) wake() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *lateWatch) expire() {
	w.expired = true
	w.wake()
}

func (w *lateWatch) run() {
	defer func() {
		w.history.mu.Lock()
		delete(w.history.watches, w)
		w.history.mu.Unlock()
		close(w.events)
	}()
	for {
		select {
		case <-w.news:
		case <-w.stopped:
			return
		}
		for _, event := range w.take() {
			select {
			case w.events <- event:
			case <-w.stopped:
				return
			}
			if event.Type == watch.Error {
				return
			}
		}
	}
}

// take returns what is to be sent: sometimes not all that there is.
func (w *lateWatch) take() []watch.Event {
	h := w.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.expired {
		status := apierrors.NewResourceExpired("compacted").Status()
		return []watch.Event{{Type: watch.Error, Object: &status}}
	}
	first, _ := slices.BinarySearchFunc(h.written, w.sent+1, func(x write, r uint64) int { return int(x.revision) - int(r) })
	var out []watch.Event
	for _, x := range h.written[first:] {
		if x.resource != w.resource {
			continue
		}
		if rand.IntN(3) == 0 {
			w.wake() // the rest later
			return out
		}
		w.sent = x.revision
		kind := watch.Modified
		if x.gone {
			kind = watch.Deleted
		}
		out = append(out, watch.Event{Type: kind, Object: x.object})
	}
	w.sent = h.revision
	if w.asked {
		w.asked = false
		mark := &corev1.Namespace{}
		mark.ResourceVersion = strconv.FormatUint(h.revision, 10)
		out = append(out, watch.Event{Type: watch.Bookmark, Object: mark})
	}
	return out
}
