// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/klog/v2"
)

const (
	// pause is how long a watch that ended stays away; longer each time, but for one that
	// had something.
	pause    = 10 * time.Millisecond
	maxPause = 5 * time.Second
)

// follow sends what is written to a source after a revision, until ctx ends or there is
// a gap.
func (e *epoch) follow(ctx context.Context, source int, revision uint64) {
	wait, told := pause, false
	for {
		last, err := e.watch(ctx, source, revision)
		if err != nil && (apierrors.IsResourceExpired(err) || apierrors.IsGone(err)) {
			e.send(ctx, arrival{source: source, err: err})
			return
		}
		if err != nil && ctx.Err() == nil && !told {
			klog.FromContext(ctx).Error(err, "A watch for projects ended, beginning again", "resourceVersion", last)
		}
		told = err != nil
		if last > revision {
			wait = pause
		}
		revision = last
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			wait = min(2*wait, maxPause)
		}
	}
}

// watch follows a source until the watch ends, and returns up to where it came.
func (e *epoch) watch(ctx context.Context, source int, revision uint64) (uint64, error) {
	w, err := e.config.Sources[source].Objects.WatchWithContext(ctx, metav1.ListOptions{
		ResourceVersion: strconv.FormatUint(revision, 10), AllowWatchBookmarks: true,
	})
	if err != nil {
		return revision, err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if event.Type == watch.Error {
			return revision, apierrors.FromObject(event.Object)
		}
		a := arrival{source: source, object: event.Object, gone: event.Type == watch.Deleted}
		accessor, err := meta.Accessor(event.Object)
		if err == nil {
			a.revision, err = strconv.ParseUint(accessor.GetResourceVersion(), 10, 64)
		}
		if err != nil {
			return revision, fmt.Errorf("resource version of %T: %w", event.Object, err)
		}
		if event.Type == watch.Bookmark {
			a.object = nil
		}
		if !e.send(ctx, a) {
			return revision, nil
		}
		revision = max(revision, a.revision)
	}
	return revision, nil
}

func (e *epoch) send(ctx context.Context, a arrival) bool {
	select {
	case e.arrived <- a:
		return true
	case <-ctx.Done():
		return false
	case <-e.done:
		return false
	}
}
