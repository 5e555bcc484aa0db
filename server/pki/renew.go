// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/klog/v2"
)

const (
	// renewInterval is the longest time between two looks: the clock of a machine may jump, and files may be lost.
	renewInterval = time.Hour
	// retryInterval is the shortest.
	retryInterval = time.Minute
)

// renew looks at every certificate that was asked for with EnsureServing and EnsureClient, issues those anew that need it,
// and returns them by name, and when to look again. Those in memory are not renewed: their holders would not notice.
func (c *CA) renew(ctx context.Context) (renewed map[string]*Pair, next time.Time, err error) {
	now := c.store.clock().Now()
	next = now.Add(renewInterval)
	if c.store.Dir == "" {
		return nil, next, nil
	}
	c.mu.Lock()
	requests := maps.Clone(c.leafs)
	c.mu.Unlock()

	renewed = map[string]*Pair{}
	var problems []error
	if now.After(c.cert.NotAfter) {
		return nil, next, c.check(c.store.certFile(c.name), c.store.keyFile(c.name))
	}
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		pair, issued, err := c.reuseOrIssue(ctx, requests[name])
		if err != nil {
			problems = append(problems, fmt.Errorf("renew certificate %q: %w", name, err))
			continue
		}
		if issued {
			renewed[name] = pair
		}
		if due := renewAt(pair.Leaf); due.Before(next) {
			next = due
		}
	}
	if earliest := now.Add(retryInterval); next.Before(earliest) {
		next = earliest
	}
	return renewed, next, errors.Join(problems...)
}

// RenewLoop renews what was asked for with EnsureServing and EnsureClient until ctx ends; what is in memory only is not
// renewed. onRenewed is called for each one, in the goroutine of the loop; nil means
// that whoever uses the files watches them, as the dynamic certificate controllers of k8s.io/apiserver do. Problems are
// logged and tried again within the hour.
func (c *CA) RenewLoop(ctx context.Context, onRenewed func(name string, pair *Pair)) {
	logger := klog.FromContext(ctx)
	clock := c.store.clock()
	for {
		renewed, next, err := c.renew(ctx)
		if err != nil {
			logger.Error(err, "Renewed not all certificates")
			next = clock.Now().Add(retryInterval)
		}
		for _, name := range slices.Sorted(maps.Keys(renewed)) {
			if onRenewed != nil {
				onRenewed(name, renewed[name])
			}
		}
		timer := clock.NewTimer(next.Sub(clock.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C():
		}
	}
}
