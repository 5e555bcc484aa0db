// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package work_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stoa-project/stoa/controllers/work"
)

// A key comes again after an error and after a panic, and others meanwhile.
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
			case key == "last":
				cancel()
			}
			return nil
		})
		for _, key := range []string{"fails", "works", "works"} {
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
	})
}
