// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// moment is how long what a host has just said to be written may take to arrive. A host
// does not say on a watch how far that is before a minute has passed; but it answers a
// list when its watches are as new as the list.
const moment = 20 * time.Millisecond

// catchUp returns when the state has what was written before, as far as the sources say:
// those with progress for sure, those of a host after a moment. What a host that is away
// said last is taken.
func (e *epoch) catchUp(ctx context.Context) error {
	targets := make([]uint64, len(e.config.Sources))
	group, asking := errgroup.WithContext(ctx)
	for i, source := range e.config.Sources {
		group.Go(func() (err error) {
			targets[i], err = source.Revision(asking)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return apierrors.NewInternalError(fmt.Errorf("ask for the current revision: %w", err))
	}
	if err := e.arrive(ctx, targets); err != nil {
		return err
	}
	var newest uint64
	for i, target := range targets {
		switch source := e.config.Sources[i]; {
		case source.Progress != nil:
			if err := e.waitOf(ctx, i, target); err != nil {
				return err
			}
		case !e.send(ctx, arrival{source: i, revision: target}):
			return apierrors.NewTimeoutError("the projects are not up to date yet", retrySeconds)
		}
		if !e.config.Sources[i].Apart {
			newest = max(newest, target)
		}
	}
	return e.wait(ctx, newest) // after all that arrived before
}

// now is the revision of the state.
func (e *epoch) now() uint64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.revision
}

// arrive waits a moment for the sources without progress, unless they are there.
func (e *epoch) arrive(ctx context.Context, targets []uint64) error {
	there := true
	for i, target := range targets {
		there = there && (e.config.Sources[i].Progress != nil || e.progress[i].Load() >= target)
	}
	if there {
		return nil
	}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return apierrors.NewTimeoutError("the projects are not up to date yet", retrySeconds)
	}
}

// waitOf returns when a source has told all up to a revision of its own.
func (e *epoch) waitOf(ctx context.Context, source int, revision uint64) error {
	of := &e.progress[source]
	e.mu.Lock()
	if of.Load() >= revision {
		e.mu.Unlock()
		return nil
	}
	w := waiter{revision: revision, reached: make(chan struct{}), of: of}
	e.waiters = append(e.waiters, w)
	e.mu.Unlock()
	e.wantOf(source, revision)
	return e.await(ctx, w)
}
