// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// alarms is the clock of a watch cache that wakes who waits for it when the cache is
// closed: each read that has to wait for the cache leaves a goroutine that sleeps three
// seconds, and holds the whole server. A test may have started a dozen others by then.
type alarms struct {
	clock.RealClock

	mu     sync.Mutex
	closed bool
	set    map[*time.Timer]chan<- time.Time
}

// After implements clock.Clock.
func (a *alarms) After(d time.Duration) <-chan time.Time {
	rung := make(chan time.Time, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		rung <- a.Now()
		return rung
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		a.mu.Lock()
		delete(a.set, timer)
		a.mu.Unlock()
		rung <- a.Now()
	})
	if a.set == nil {
		a.set = map[*time.Timer]chan<- time.Time{}
	}
	a.set[timer] = rung
	return rung
}

// close wakes everybody.
func (a *alarms) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for timer, rung := range a.set {
		if timer.Stop() {
			rung <- a.Now()
		}
	}
	a.set = nil
}
