// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package work is what all controllers do alike: one key after the other, again after
// a while if there was an error, until the context ends.
package work

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// retryInterval is how soon a controller goes on that has panicked.
const retryInterval = time.Second

// Queue has the keys that a controller must look at. A key that is added while it is
// looked at is looked at once more.
type Queue struct {
	name string
	sync func(ctx context.Context, key string) error
	keys workqueue.TypedRateLimitingInterface[string]
}

// NewQueue returns a queue for sync, which brings one key to where it should be. An
// error of sync is logged, and the key comes again, later each time. name is that of
// the controller, in logs and in the metrics of the queue.
func NewQueue(name string, sync func(ctx context.Context, key string) error) *Queue {
	return &Queue{name: name, sync: sync, keys: workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.DefaultTypedControllerRateLimiter[string](), workqueue.TypedRateLimitingQueueConfig[string]{Name: name})}
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
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		for q.next(ctx) {
		}
	}, retryInterval)
}

// next looks at one key; false when the queue is closed.
func (q *Queue) next(ctx context.Context) bool {
	key, closed := q.keys.Get()
	if closed {
		return false
	}
	defer q.keys.Done(key)
	err := q.sync(ctx, key)
	if err == nil || ctx.Err() != nil {
		q.keys.Forget(key)
		return true
	}
	klog.FromContext(ctx).Error(err, "A controller could not do its work, trying again", "controller", q.name, "key", key)
	q.keys.AddRateLimited(key)
	return true
}
