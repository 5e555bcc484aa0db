// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAlarms wakes who waits when the cache is closed, and tells him that the time is over. Only then: a wait that is cut
// short goes on.
func TestAlarms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &alarms{}
		began := time.Now()
		for name, d := range map[string]time.Duration{"short": time.Second, "long": 3 * time.Second} {
			if <-a.After(d); a.Since(began) < d || a.Since(began) > time.Minute {
				t.Errorf("%s alarm after %v", name, a.Since(began))
			}
		}
		before := a.After(time.Hour)
		began = time.Now()
		a.close()
		if a.Since(began) < time.Hour {
			t.Errorf("%v have passed once it is closed", a.Since(began))
		}
		for name, rung := range map[string]<-chan time.Time{"from before": before, "from after": a.After(time.Hour)} {
			if <-rung; time.Since(began) > time.Second {
				t.Errorf("alarm %s after %v", name, time.Since(began))
			}
		}
	})
}
