// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package election has one of several servers on one etcd do what only one may. The
// one that holds a Lease leads, in terms:
//
//	stand for election ──► term ──► the lease is lost, or the server stops
//	         ▲                                 │
//	         └─────────────────────────────────┘ the term has ended
//
// Who loses the lease ends his term before another one can have it: he gives up when he
// has not renewed it for the renew deadline, and others wait for the lease duration.
// Who stops ends his term and then frees the lease, so that another one begins at once.
package election

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"
)

// Times say how fast another server takes over.
type Times struct {
	// LeaseDuration is how long others wait for who does not renew the lease.
	LeaseDuration time.Duration
	// RenewDeadline is how long who leads goes on when he cannot renew it.
	RenewDeadline time.Duration
	// RetryPeriod is how often who leads renews it, and others look at it.
	RetryPeriod time.Duration
}

// Election is what a server takes part in.
type Election struct {
	Times

	// Leases must not wait for an answer for longer than the renew deadline.
	Leases coordination.LeasesGetter
	// Namespace and Name are those of the lease.
	Namespace, Name string
	// Identity tells the servers apart.
	Identity string
}

// Run calls term each time that this server is elected, one term after the other, until
// ctx ends. The context of a term ends with the lease, or with ctx; term must then
// return.
func (e Election) Run(ctx context.Context, term func(context.Context)) error {
	for ctx.Err() == nil {
		if err := e.stand(ctx, term); err != nil {
			return err
		}
	}
	return nil
}

// stand stands for election, once.
func (e Election) stand(ctx context.Context, term func(context.Context)) error {
	lock := &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: e.Name}, Client: e.Leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: e.Identity},
	}
	elected := make(chan context.Context)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, Name: e.Name, LeaseDuration: e.LeaseDuration, RenewDeadline: e.RenewDeadline, RetryPeriod: e.RetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) {
				select {
				case elected <- leading:
				case <-leading.Done():
				}
			},
			OnStoppedLeading: func() {},
		},
		// Not ReleaseOnCancel: it frees a lease that could not be renewed before the
		// term ends.
	})
	if err != nil {
		return fmt.Errorf("leader election: %w", err)
	}
	standing, withdraw := context.WithCancel(context.WithoutCancel(ctx))
	over := make(chan struct{})
	go func() {
		defer close(over)
		elector.Run(standing)
	}()
	select {
	case leading := <-elected:
		leading, end := context.WithCancel(leading)
		stop := context.AfterFunc(ctx, end)
		term(leading)
		stop()
		end()
	case <-over:
	case <-ctx.Done():
	}
	withdraw()
	<-over
	if ctx.Err() != nil {
		e.release(context.WithoutCancel(ctx), lock)
	}
	return nil
}

// release frees the lease, if this server has it.
func (e Election) release(ctx context.Context, lock resourcelock.Interface) {
	ctx, cancel := context.WithTimeout(ctx, e.RenewDeadline)
	defer cancel()
	// The last renewal may be on its way still.
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		record, _, err := lock.Get(ctx)
		if err != nil || record.HolderIdentity != e.Identity {
			return err
		}
		record.HolderIdentity, record.LeaseDurationSeconds, record.RenewTime = "", 1, metav1.Now()
		return lock.Update(ctx, *record)
	})
	if err != nil {
		klog.FromContext(ctx).Info("Stopped without freeing the lease, which expires by itself", "lease", klog.KRef(e.Namespace, e.Name), "err", err)
	}
}
