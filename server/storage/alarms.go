// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"math"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// moment is how long after the close everybody is woken. Who looked at the time just before
// waits by then, and would not hear it earlier.
const moment = 10 * time.Millisecond

// alarms is the clock of a watch cache, whose time is over when the cache is closed: who
// waits for the cache is woken, and gives up. Each read that has to wait leaves a goroutine
// that sleeps three seconds, and holds the whole server. A test may have started a dozen
// others by then.
type alarms struct {
	clock.RealClock

	mu     sync.Mutex
	closed bool
	set    map[*time.Timer]struct{}
}

// After implements clock.Clock.
func (a *alarms) After(d time.Duration) <-chan time.Time {
	rung := make(chan time.Time, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		d = min(d, moment)
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		a.mu.Lock()
		delete(a.set, timer)
		a.mu.Unlock()
		rung <- a.Now()
	})
	if a.set == nil {
		a.set = map[*time.Timer]struct{}{}
	}
	a.set[timer] = struct{}{}
	return rung
}

// Since implements clock.Clock.
func (a *alarms) Since(t time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return math.MaxInt64
	}
	return a.RealClock.Since(t)
}

// close lets nobody wait any more.
func (a *alarms) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for timer := range a.set {
		if timer.Stop() {
			timer.Reset(moment)
		}
	}
}
