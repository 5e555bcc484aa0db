// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"context"
	"slices"
	"sync"
)

// Charges are the requests for which a quota may have been charged and whose objects may
// not be stored yet. Who counts again must wait for them: what he does not see he would
// take off the quota, and it would then be exceeded. The zero value has none.
type Charges struct {
	lock sync.Mutex
	open map[string]map[*charge]struct{} // by namespace
	// own are resource versions that this server has written, the newest of them, and next
	// is where in them the next one goes.
	own  []string
	next int
}

// versions is how many resource versions are kept.
const versions = 4096

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

// After has do called when the requests of namespaces are over that are known now. It
// returns false, and does not call it, if there are none.
func (c *Charges) After(do func(), namespaces ...string) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	w := &waiter{do: do}
	for _, namespace := range namespaces {
		for charge := range c.open[namespace] {
			w.left++
			charge.waiters = append(charge.waiters, w)
		}
	}
	return w.left > 0
}

// Wrote notes that this server wrote a version of what it charges. Other versions are of
// requests to other servers, of which nobody knows here when they are over.
func (c *Charges) Wrote(resourceVersion string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.own) < versions {
		c.own = append(c.own, resourceVersion)
		return
	}
	c.own[c.next] = resourceVersion
	c.next = (c.next + 1) % versions
}

// Own says whether this server wrote a version. It does not know those from long ago.
func (c *Charges) Own(resourceVersion string) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	return slices.Contains(c.own, resourceVersion)
}
