// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"context"
	"sync"
)

// Charges are the requests for which a quota may have been charged and whose objects may
// not be stored yet. Who counts again must wait for them: what he does not see he would
// take off the quota, and it would then be exceeded. The zero value has none.
type Charges struct {
	lock sync.Mutex
	open map[string]map[chan struct{}]struct{} // by namespace; closed with the request
}

// Add makes a request known that is about to be charged. It is over with its context.
func (c *Charges) Add(ctx context.Context, namespace string) {
	over := make(chan struct{})
	c.lock.Lock()
	if c.open == nil {
		c.open = map[string]map[chan struct{}]struct{}{}
	}
	if c.open[namespace] == nil {
		c.open[namespace] = map[chan struct{}]struct{}{}
	}
	c.open[namespace][over] = struct{}{}
	c.lock.Unlock()
	context.AfterFunc(ctx, func() {
		c.lock.Lock()
		defer c.lock.Unlock()
		close(over)
		delete(c.open[namespace], over)
		if len(c.open[namespace]) == 0 {
			delete(c.open, namespace)
		}
	})
}

// Wait returns when the requests of a namespace are over that are known now.
func (c *Charges) Wait(ctx context.Context, namespace string) error {
	c.lock.Lock()
	var known []chan struct{}
	for over := range c.open[namespace] {
		known = append(known, over)
	}
	c.lock.Unlock()
	for _, over := range known {
		select {
		case <-over:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
