// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package work

import (
	"context"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

const (
	// prompt is how often something is put right at once.
	prompt = 8
	// calm is how long nobody must touch it until that begins anew.
	calm = 10 * time.Minute
)

// Repairs paces a controller that puts right what others change: at once, but ever more
// seldom if there is no end to it, as when two servers disagree on what is right. The zero
// value has none.
type Repairs struct {
	// Controller is its name.
	Controller string

	lock sync.Mutex
	done map[string]repairs
}

// repairs are those of one key.
type repairs struct {
	count int
	last  time.Time
}

// Wait returns how long the next repair of a key has to wait, and counts it.
func (r *Repairs) Wait(ctx context.Context, key string) time.Duration {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.done == nil {
		r.done = map[string]repairs{}
	}
	before := r.done[key]
	if time.Since(before.last) > calm {
		before.count = 0
	}
	wait := time.Duration(0)
	if over := before.count - prompt; over >= 0 {
		wait = min(time.Second<<min(over, 10), latest)
		if over == 0 {
			klog.FromContext(ctx).Info("Somebody else changes what a controller puts right, doing it more seldom", "controller", r.Controller, "key", key)
		}
	}
	r.done[key] = repairs{count: before.count + 1, last: time.Now().Add(wait)}
	return wait
}

// Forget is called when a key is gone.
func (r *Repairs) Forget(key string) {
	r.lock.Lock()
	defer r.lock.Unlock()
	delete(r.done, key)
}
