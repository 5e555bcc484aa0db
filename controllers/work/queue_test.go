// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package work_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stoa-project/stoa/controllers/work"
)

// A key comes again after an error, and others meanwhile. One that has to wait comes
// again no later than it asks for.
func TestQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := map[string]int{}
		ctx, cancel := context.WithCancel(t.Context())
		queue := work.NewQueue("test", func(_ context.Context, key string) error {
			calls[key]++
			switch {
			case key == "fails" && calls[key] < 3:
				return errors.New("not now")
			case key == "waits":
				return work.AgainError{Within: time.Second}
			case key == "last":
				cancel()
			}
			return nil
		})
		for _, key := range []string{"fails", "waits", "works", "works"} {
			queue.Add(key)
		}
		done := make(chan struct{})
		go func() {
			queue.Run(ctx)
			close(done)
		}()
		synctest.Wait()
		if calls["works"] != 1 || calls["fails"] != 1 {
			t.Errorf("at first: %v", calls)
		}
		<-time.After(time.Minute) // of the bubble
		synctest.Wait()
		queue.Add("last")
		<-done
		if calls["works"] != 1 || calls["fails"] != 3 || calls["last"] != 1 {
			t.Errorf("at last: %v", calls)
		}
		// Later each time for the first second, and then every second.
		if calls["waits"] < 60 || calls["waits"] > 70 {
			t.Errorf("a key that waits was looked at %d times in a minute", calls["waits"])
		}
	})
}

// Workers look at several keys at once, and none is left when the queue ends.
func TestQueueWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var now, most, done atomic.Int32
		queue := work.NewQueue("test", func(context.Context, string) error {
			most.Store(max(most.Load(), now.Add(1)))
			<-time.After(time.Second) // of the bubble
			now.Add(-1)
			done.Add(1)
			return nil
		})
		queue.Workers = 3
		for key := range 9 {
			queue.Add(strconv.Itoa(key))
		}
		ended := make(chan struct{})
		go func() {
			queue.Run(ctx)
			close(ended)
		}()
		<-time.After(2500 * time.Millisecond)
		cancel()
		<-ended
		if most.Load() != 3 || done.Load() < 9 || now.Load() != 0 {
			t.Errorf("%d at once, %d done, %d not", most.Load(), done.Load(), now.Load())
		}
	})
}
