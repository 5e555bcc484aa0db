// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package work is what all controllers do alike: one key after the other, again after
// a while if there was an error, until the context ends.
package work

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

const (
	// soonest and latest bound when a key comes again after an error.
	soonest = 5 * time.Millisecond
	latest  = time.Minute
	// silent is how often a key may come again before that is logged: ten times take ten
	// seconds.
	silent = 10
)

// AgainError is the error of a key that is not done though nothing went wrong: it has to
// wait, or somebody else was faster.
type AgainError struct {
	// Within is when the key comes again at the latest; zero: as after an error.
	Within time.Duration
	// Why is logged if the key has come again many times, and still is not done. Nil: it
	// may wait as long as it likes.
	Why error
}

// Error implements error.
func (e AgainError) Error() string {
	if e.Why != nil {
		return "not done yet: " + e.Why.Error()
	}
	return "not done yet"
}

// Unwrap returns why the key is not done.
func (e AgainError) Unwrap() error { return e.Why }

// Queue has the keys that a controller must look at. A key that is added while it is
// looked at is looked at once more.
type Queue struct {
	// Workers look at keys; zero: one does. It is set before Run.
	Workers int

	name    string
	sync    func(ctx context.Context, key string) error
	keys    workqueue.TypedRateLimitingInterface[string]
	limiter workqueue.TypedRateLimiter[string]
	heard   []listener
}

// listener is what hears of the changes that an informer sees.
type listener struct {
	informer cache.SharedIndexInformer
	handler  cache.ResourceEventHandler
}

// NewQueue returns a queue for sync, which brings one key to where it should be. An
// error of sync is logged, and the key comes again, later each time. name is that of
// the controller, in logs and in the metrics of the queue.
func NewQueue(name string, sync func(ctx context.Context, key string) error) *Queue {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[string](soonest, latest)
	return &Queue{name: name, sync: sync, limiter: limiter, keys: workqueue.NewTypedRateLimitingQueueWithConfig(
		limiter, workqueue.TypedRateLimitingQueueConfig[string]{Name: name})}
}

// Add has a key looked at.
func (q *Queue) Add(key string) { q.keys.Add(key) }

// AddAfter has a key looked at after a while.
func (q *Queue) AddAfter(key string, wait time.Duration) { q.keys.AddAfter(key, wait) }

// Failures is how often a key has come again since it was done.
func (q *Queue) Failures(key string) int { return q.limiter.NumRequeues(key) }

// Listen has a handler called for what an informer has and sees while Run runs, and not
// after: informers are shared, and outlive a controller. It is called before Run.
func (q *Queue) Listen(informer cache.SharedIndexInformer, handler cache.ResourceEventHandler) {
	q.heard = append(q.heard, listener{informer, handler})
}

// Run looks at keys until ctx ends, once the informers have synced, and those that are
// listened to. It is called once.
func (q *Queue) Run(ctx context.Context, informers ...cache.SharedIndexInformer) {
	defer q.drain()
	synced, deaf, err := q.hear()
	defer deaf()
	if err != nil {
		if ctx.Err() == nil { // the informer has not ended with the server
			klog.FromContext(ctx).Error(err, "A controller does not run", "controller", q.name)
		}
		return
	}
	for _, informer := range informers {
		synced = append(synced, informer.HasSyncedChecker())
	}
	if !cache.WaitFor(ctx, "", synced...) {
		return
	}
	stop := context.AfterFunc(ctx, q.keys.ShutDown) // ends the wait for the next key
	defer stop()
	// Workers are started for keys: a queue that is empty has none.
	var workers errgroup.Group
	workers.SetLimit(max(q.Workers, 1))
	for {
		key, closed := q.keys.Get()
		if closed {
			_ = workers.Wait() // no worker has an error
			return
		}
		workers.Go(func() error {
			defer q.keys.Done(key)
			q.look(ctx, key)
			return nil
		})
	}
}

// hear begins to listen, and returns what ends that.
func (q *Queue) hear() (synced []cache.DoneChecker, deaf func(), err error) {
	var ends []func()
	deaf = func() {
		for _, end := range ends {
			end()
		}
	}
	for _, l := range q.heard {
		registration, err := l.informer.AddEventHandler(l.handler)
		if err != nil {
			return nil, deaf, err
		}
		ends = append(ends, func() { _ = l.informer.RemoveEventHandler(registration) }) // one that has ended has none
		synced = append(synced, registration.HasSyncedChecker())
	}
	return synced, deaf, nil
}

// drain ends the queue without looking at its keys, which metrics would count for ever.
func (q *Queue) drain() {
	q.keys.ShutDown()
	for {
		key, closed := q.keys.Get()
		if closed {
			return
		}
		q.keys.Done(key)
	}
}

// look looks at one key.
func (q *Queue) look(ctx context.Context, key string) {
	defer utilruntime.HandleCrashWithContext(ctx, func(context.Context, any) { q.keys.AddAfter(key, q.limiter.When(key)) })
	if ctx.Err() != nil {
		return
	}
	err := q.sync(ctx, key)
	if err == nil || ctx.Err() != nil {
		q.keys.Forget(key)
		return
	}
	delay := q.limiter.When(key)
	var again AgainError
	waits := errors.As(err, &again)
	if !waits || again.Why != nil && q.Failures(key) > silent {
		klog.FromContext(ctx).Error(err, "A controller could not do its work, trying again", "controller", q.name, "key", key, "delay", delay)
	}
	if waits && again.Within > 0 {
		delay = min(delay, again.Within)
	}
	q.keys.AddAfter(key, delay)
}
