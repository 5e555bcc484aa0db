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
	open map[string]map[*charge]struct{} // by namespace
}

// charge is a request that is not over.
type charge struct{ waiters []*waiter }

// waiter is who waits for some requests.
type waiter struct {
	left int
	do   func()
}

// Add makes a request known that is about to be charged. It is over with its context.
func (c *Charges) Add(ctx context.Context, namespace string) {
	own := &charge{}
	c.lock.Lock()
	if c.open == nil {
		c.open = map[string]map[*charge]struct{}{}
	}
	if c.open[namespace] == nil {
		c.open[namespace] = map[*charge]struct{}{}
	}
	c.open[namespace][own] = struct{}{}
	c.lock.Unlock()
	context.AfterFunc(ctx, func() {
		for _, w := range c.end(namespace, own) {
			w.do()
		}
	})
}

// end takes a request away that is over, and returns who waited for it last.
func (c *Charges) end(namespace string, over *charge) (done []*waiter) {
	c.lock.Lock()
	defer c.lock.Unlock()
	delete(c.open[namespace], over)
	if len(c.open[namespace]) == 0 {
		delete(c.open, namespace)
	}
	for _, w := range over.waiters {
		if w.left--; w.left == 0 {
			done = append(done, w)
		}
	}
	return done
}

// After has do called when the requests of a namespace are over that are known now. It
// returns false, and does not call it, if there are none.
func (c *Charges) After(namespace string, do func()) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	w := &waiter{left: len(c.open[namespace]), do: do}
	for charge := range c.open[namespace] {
		charge.waiters = append(charge.waiters, w)
	}
	return w.left > 0
}
