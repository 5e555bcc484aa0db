// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/stoa-project/stoa/registry/tenancy/locks"
)

// One at a time has a lock; those of other names are free.
func TestLock(t *testing.T) {
	t.Parallel()
	var all locks.ByName
	var requests sync.WaitGroup
	counts := map[string]*int{"a": new(int), "b": new(int)}
	for range 100 {
		for name, count := range counts {
			requests.Go(func() {
				unlock, err := all.Lock(t.Context(), name)
				if err != nil {
					t.Error(err)
					return
				}
				defer unlock()
				*count++
			})
		}
	}
	requests.Wait()
	if *counts["a"] != 100 || *counts["b"] != 100 {
		t.Errorf("%d and %d, want 100", *counts["a"], *counts["b"])
	}
}

// Who waits too long is told so, and does not keep the lock from others.
func TestLockTimeout(t *testing.T) {
	t.Parallel()
	var all locks.ByName
	unlock, err := all.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = all.Lock(over, "a")
	if want := `Timeout: other requests for "a" were not done in time`; !apierrors.IsTimeout(err) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	unlock()
	unlock, err = all.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// Names that nobody uses any more take no memory: users choose them. It is not parallel,
// because it looks at the memory of the process.
func TestLockIsForgotten(t *testing.T) { //nolint:paralleltest // see above
	const names, long = 5000, 10_000
	var all locks.ByName
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range names {
		name := strings.Repeat("x", long) + strconv.Itoa(i)
		unlock, err := all.Lock(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all.Lock(over, name); err == nil {
			t.Fatal("locked twice")
		}
		unlock()
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	runtime.KeepAlive(&all)
	if memory.HeapAlloc > names*long/2 {
		t.Errorf("%d bytes are kept", memory.HeapAlloc)
	}
}
