// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package work_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stoa-project/stoa/controllers/work"
)

// What is changed again and again is put right ever more seldom, until it is left alone for
// a while.
func TestRepairs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		repairs := work.Repairs{Controller: "test"}
		waits := func(times int) (out []time.Duration) {
			for range times {
				wait := repairs.Wait(t.Context(), "a")
				out = append(out, wait)
				<-time.After(wait) // of the bubble
			}
			return out
		}
		fast := make([]time.Duration, 8)
		slow := []time.Duration{
			time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute,
		}
		if diff := cmp.Diff(slices.Concat(fast, slow), waits(16)); diff != "" {
			t.Errorf("waits (-want +got):\n%s", diff)
		}
		if wait := repairs.Wait(t.Context(), "b"); wait != 0 {
			t.Errorf("another key waits for %v", wait)
		}
		<-time.After(9 * time.Minute)
		if diff := cmp.Diff([]time.Duration{time.Minute}, waits(1)); diff != "" {
			t.Errorf("soon after (-want +got):\n%s", diff)
		}
		<-time.After(10*time.Minute + time.Second)
		if diff := cmp.Diff(fast, waits(8)); diff != "" {
			t.Errorf("later (-want +got):\n%s", diff)
		}
		repairs.Forget("a")
		if diff := cmp.Diff(fast, waits(8)); diff != "" {
			t.Errorf("forgotten (-want +got):\n%s", diff)
		}
	})
}
