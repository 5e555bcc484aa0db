// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
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
	// expected are the objects that a host has been charged for.
	expected map[types.UID][]*expectation
	lost     map[*func(string)]struct{}
}

// expectation is an object that is about to be stored, in a version after before.
type expectation struct {
	before string
	timer  *time.Timer
	over   func()
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
	context.AfterFunc(ctx, c.begin(namespace))
}

// begin makes a request known, and returns what ends it.
func (c *Charges) begin(namespace string) (over func()) {
	own := &charge{}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.open == nil {
		c.open = map[string]map[*charge]struct{}{}
	}
	if c.open[namespace] == nil {
		c.open[namespace] = map[*charge]struct{}{}
	}
	c.open[namespace][own] = struct{}{}
	return func() {
		for _, w := range c.end(namespace, own) {
			w.do()
		}
	}
}

// Expected is an object for which a quota is charged and that a host stores.
type Expected struct {
	Namespace string
	UID       types.UID
	// Version is the resource version that is changed; empty: the object is new.
	Version string
	// Within is how long the host may take.
	Within time.Duration
}

// Expect makes a request known that is about to be charged for an object that a host
// stores. It is over when the object is stored, or when the host cannot store it any more,
// or with refused: nothing has been charged.
func (c *Charges) Expect(object Expected) (refused func()) {
	e := &expectation{before: object.Version, over: c.begin(object.Namespace)}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.expected == nil {
		c.expected = map[types.UID][]*expectation{}
	}
	c.expected[object.UID] = append(c.expected[object.UID], e)
	own := func(other *expectation) bool { return other == e }
	e.timer = time.AfterFunc(object.Within, func() {
		c.tellLost(object, e)
		c.took(object.UID, own)
	})
	return func() { c.took(object.UID, own) }
}

// Stored notes that a version of an object is stored.
func (c *Charges) Stored(uid types.UID, version string) {
	c.took(uid, func(e *expectation) bool {
		later, err := resourceversion.CompareResourceVersion(version, e.before)
		return e.before == "" || err == nil && later > 0
	})
}

// took ends the requests for an object that are over.
func (c *Charges) took(uid types.UID, over func(*expectation) bool) {
	c.lock.Lock()
	var ended, left []*expectation
	for _, e := range c.expected[uid] {
		if over(e) {
			ended = append(ended, e)
		} else {
			left = append(left, e)
		}
	}
	if len(left) > 0 {
		c.expected[uid] = left
	} else {
		delete(c.expected, uid)
	}
	c.lock.Unlock()
	for _, e := range ended {
		e.timer.Stop()
		e.over()
	}
}

// Lost has a function called with the namespace of each object that was charged for and
// that a host has not stored, until stop is called. Who waits for charges still waits for it
// then, so that what he has read before it was charged can be read again.
func (c *Charges) Lost(do func(namespace string)) (stop func()) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.lost == nil {
		c.lost = map[*func(string)]struct{}{}
	}
	c.lost[&do] = struct{}{}
	return func() {
		c.lock.Lock()
		defer c.lock.Unlock()
		delete(c.lost, &do)
	}
}

func (c *Charges) tellLost(object Expected, e *expectation) {
	var heard []*func(string)
	c.lock.Lock()
	if slices.Contains(c.expected[object.UID], e) {
		heard = slices.Collect(maps.Keys(c.lost))
	}
	c.lock.Unlock()
	for _, do := range heard {
		(*do)(object.Namespace)
	}
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
