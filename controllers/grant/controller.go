// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package grant is the controller that puts grants in force, as bindings that they own,
// and takes them back when their time is over or when they are deleted.
//
//	Pending ──► finalizer, status Active ──► (Role and) RoleBinding ──► InForce ──► Expired
//	   └──► Refused: the grantor does not hold what is granted, for some seconds
//
// What is written down comes before what follows from it, so that a controller that
// ends in between goes on where it was. The binding says itself until when it holds,
// and the authorizer believes it: a grant ends to the second also while no controller
// runs. Behind a host, whose authorizer does not know that, it ends when the binding is
// gone: a second later at most, or first of all when a controller runs again.
package grant

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	rbaclisters "k8s.io/client-go/listers/rbac/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/controllers/work"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	tenancylisters "github.com/stoa-project/stoa/generated/listers/tenancy/v1"
	"github.com/stoa-project/stoa/registry/rbac/escalation"
)

// Name is that of the controller.
const Name = "grant-controller"

const (
	workers = 5
	// tick is how often the wall clock is compared with the ends of grants. A timer would
	// not notice that somebody sets it.
	tick = time.Second
	// doubt is how long a grant is not refused for good. Servers of one etcd hear of a write
	// within that.
	doubt = 10 * time.Second
)

type controller struct {
	client   kubernetes.Interface
	own      versioned.Interface
	guard    escalation.Guard
	clock    clock.WithTicker
	teller   work.Teller
	grants   tenancylisters.GrantLister
	roles    rbaclisters.RoleLister
	bindings rbaclisters.RoleBindingLister
	queue    *work.Queue // of the keys of grants

	mu   sync.Mutex
	ends map[string]time.Time // of the grants in force that end
}

// New returns the controller: a function that works until its context ends. The
// informers must be started after New.
func New(server work.Server) func(context.Context) { return newAt(server, clock.RealClock{}) }

func newAt(server work.Server, now clock.WithTicker) func(context.Context) {
	grants := server.TenancyInformers.Tenancy().V1().Grants()
	roles, bindings := server.Informers.Rbac().V1().Roles(), server.Informers.Rbac().V1().RoleBindings()
	ofGrants, ofRoles, ofBindings := grants.Informer(), roles.Informer(), bindings.Informer()
	return func(ctx context.Context) {
		c := &controller{
			client: server.Client, own: server.Tenancy, guard: server.Guard, clock: now,
			teller: work.Teller{Client: server.Client, Controller: Name},
			grants: grants.Lister(), roles: roles.Lister(), bindings: bindings.Lister(), ends: map[string]time.Time{},
		}
		c.queue = work.NewQueue(Name, c.sync)
		c.queue.Workers = workers
		c.queue.Listen(ofGrants, work.Each(c.enqueue))
		c.queue.Listen(ofRoles, work.Each(c.enqueueOwner))
		c.queue.Listen(ofBindings, work.Each(c.enqueueOwner))
		if !cache.WaitFor(ctx, "", ofGrants.HasSyncedChecker()) {
			return
		}
		c.enqueueOverdue()
		var ticks sync.WaitGroup
		ticks.Go(func() { c.watchClock(ctx) })
		c.queue.Run(ctx)
		ticks.Wait()
	}
}

func (c *controller) enqueue(obj any) {
	if key, err := cache.MetaNamespaceKeyFunc(obj); err == nil {
		c.queue.Add(key)
	}
}

// enqueueOverdue queues the grants whose time was over before the controller ran, the
// oldest first, and before all others: an authorizer that does not know of ends believes
// their bindings until they are gone.
func (c *controller) enqueueOverdue() {
	all, err := c.grants.List(labels.Everything())
	if err != nil {
		return // an informer has no errors
	}
	all = slices.DeleteFunc(all, func(g *tenancyv1.Grant) bool {
		end := endOf(g)
		return g.Status.Phase != tenancyv1.GrantActive || end == nil || c.clock.Now().Before(end.Time)
	})
	slices.SortFunc(all, func(a, b *tenancyv1.Grant) int { return endOf(a).Compare(endOf(b).Time) })
	for _, g := range all {
		c.enqueue(g)
	}
}

// enqueueOwner queues the grant that a role or a binding has its name of.
func (c *controller) enqueueOwner(obj any) {
	if of, ok := obj.(metav1.Object); ok {
		if name, is := strings.CutPrefix(of.GetName(), prefix); is {
			c.queue.Add(cache.NewObjectName(of.GetNamespace(), name).String())
		}
	}
}

// watchClock queues grants whose time is over.
func (c *controller) watchClock(ctx context.Context) {
	ticker := c.clock.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		now := c.clock.Now()
		c.mu.Lock()
		for key, end := range c.ends {
			if !now.Before(end) {
				c.queue.Add(key)
			}
		}
		c.mu.Unlock()
	}
}

// endsAt remembers when a grant ends; nil: it does not, or has ended.
func (c *controller) endsAt(key string, end *metav1.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if end == nil {
		delete(c.ends, key)
		return
	}
	c.ends[key] = end.Time
}

// sync brings a grant to the state that it should have now.
func (c *controller) sync(ctx context.Context, key string) error {
	name, err := cache.ParseObjectName(key)
	if err != nil {
		return err
	}
	grant, err := c.grants.Grants(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		c.endsAt(key, nil)
		return c.sweep(ctx, name)
	}
	if err != nil {
		return err
	}
	end, err := c.advance(ctx, grant.DeepCopy())
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) && c.gone(ctx, name) {
		return work.AgainError{} // what changed is on its way here
	}
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		err = nil // the grant goes with its namespace, and comes here then
	}
	if err == nil {
		c.endsAt(key, end)
	}
	return err
}

// gone says whether there is no such grant any more.
func (c *controller) gone(ctx context.Context, name cache.ObjectName) bool {
	_, err := c.own.TenancyV1().Grants(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
	return apierrors.IsNotFound(err)
}
