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
)

// AgainError is the error of a key that is not done though nothing went wrong: it has to
// wait, or somebody else was faster. It is not logged.
type AgainError struct {
	// Within is when the key comes again at the latest; zero: as after an error.
	Within time.Duration
}

// Error implements error.
func (AgainError) Error() string { return "not done yet" }

// Queue has the keys that a controller must look at. A key that is added while it is
// looked at is looked at once more.
type Queue struct {
	// Workers look at keys; zero: one does. It is set before Run.
	Workers int

	name    string
	sync    func(ctx context.Context, key string) error
	keys    workqueue.TypedRateLimitingInterface[string]
	limiter workqueue.TypedRateLimiter[string]
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

// Run looks at keys until ctx ends, once the informers have synced. It is called once.
func (q *Queue) Run(ctx context.Context, informers ...cache.SharedIndexInformer) {
	defer q.keys.ShutDown()
	synced := make([]cache.DoneChecker, len(informers))
	for i, informer := range informers {
		synced[i] = informer.HasSyncedChecker()
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
	switch {
	case !errors.As(err, &again):
		klog.FromContext(ctx).Error(err, "A controller could not do its work, trying again", "controller", q.name, "key", key)
	case again.Within > 0:
		delay = min(delay, again.Within)
	}
	q.keys.AddAfter(key, delay)
}
