// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"
)

// progressInterval is how often a start that takes long says what it is doing.
const progressInterval = 10 * time.Second

// progress is what a start is doing.
type progress struct{ doing atomic.Pointer[string] }

func (p *progress) set(doing string) { p.doing.Store(&doing) }

// report logs the progress at each interval until ctx ends.
func (p *progress) report(ctx context.Context, dir string, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if doing := p.doing.Load(); doing != nil {
				klog.FromContext(ctx).Info("Still starting etcd", "doing", *doing, "dir", dir,
					"seconds", int(time.Since(began).Seconds()))
			}
		}
	}
}

// attempt does one step of the start in a goroutine of its own. The step cannot be interrupted, but the start can; and etcd
// ends the goroutine, by way of crash, or panics when it cannot read its data.
func (s *Server) attempt(ctx context.Context, doing string, step func() error) error {
	s.progress.set(doing)
	results := make(chan error, 1)
	go func() {
		// A page that cannot be read becomes a panic of this goroutine in place of the end of the process.
		debug.SetPanicOnFault(true)
		err := errAborted
		defer func() {
			if p := recover(); p != nil {
				s.crash.record("read stored data", fmt.Errorf("%w: %v", errPanicked, p))
				err = errAborted
			}
			results <- err
		}()
		err = step()
	}()
	select {
	case err := <-results:
		if s.crash.happened() {
			return s.crashError()
		}
		return err
	case <-s.crash.done:
		return s.crashError()
	case <-ctx.Done():
		// From here on the goroutine below owns what the step made, and the folder.
		s.crash.record(doing, context.Cause(ctx))
		go func() {
			if err := <-results; !errors.Is(err, errAborted) {
				s.abandon()
			}
		}()
		return fmt.Errorf("%s in %s: %w", doing, s.dir, context.Cause(ctx))
	}
}

// giveUp ends a start while etcd is not ready. What etcd has open is closed in the background, however long that takes.
func (s *Server) giveUp(doing string, cause error) {
	s.crash.record(doing, cause)
	go s.abandon()
}

// abandon closes what a start that was given up left behind.
func (s *Server) abandon() {
	if s.etcd != nil {
		// Close alone waits until etcd is ready, which it may never be.
		s.etcd.Server.HardStop()
		s.etcd.Close()
	}
	s.removeSocket()
	if err := s.lock.Release(); err != nil {
		s.logger.Error(err, "Kept the data folder locked", "dir", s.dir)
	}
}
