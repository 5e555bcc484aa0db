// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package tenant is the controller that gives the namespaces of a tenant what its
// defaults say, mends it when somebody changes it, and keeps a tenant that is being
// deleted until its namespaces are gone. A namespace belongs to the tenant that its
// label names.
//
//	tenants ────► queue of tenants ──► status, finalizer
//	   └─────────────┐
//	namespaces, what is in them ──► queue of namespaces ──► server-side apply
//
// What it applies is its own by field: what users add stays.
package tenant

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/controllers/work"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	tenancylisters "github.com/stoa-project/stoa/generated/listers/tenancy/v1"
)

const (
	// Name is that of the controller.
	Name    = "tenant-controller"
	workers = 5
	// byTenant is the index of namespaces.
	byTenant = "tenant"
)

type controller struct {
	client     kubernetes.Interface
	own        versioned.Interface
	metadata   metadata.Interface
	charges    *quota.Charges
	host       *host // nil without
	tenants    tenancylisters.TenantLister
	namespaces cache.SharedIndexInformer
	names      corelisters.NamespaceLister
	ofTenants  *work.Queue // of the names of tenants
	within     *work.Queue // of the names of namespaces

	// request is how long one lasts at most.
	request time.Duration
	lock    sync.Mutex
	tallies map[string]tally // of tenants; nil if no other server counts

	// children are the objects with the label, from the first tenant on. begun is closed
	// when they are watched.
	children metadatainformer.SharedInformerFactory
	begin    sync.Once
	begun    chan struct{}
}

// New returns the controller: a function that works until its context ends. The
// informers must be started after New.
func New(server work.Server) func(context.Context) {
	tenants, namespaces := server.TenancyInformers.Tenancy().V1().Tenants(), server.Informers.Core().V1().Namespaces()
	ofTenants, ofNamespaces := tenants.Informer(), namespaces.Informer()
	if _, indexed := ofNamespaces.GetIndexer().GetIndexers()[byTenant]; !indexed {
		_ = ofNamespaces.AddIndexers(cache.Indexers{byTenant: tenantOf}) // nobody else adds it, and it has no conflicts
	}
	return func(ctx context.Context) {
		c := &controller{
			client: server.Client, own: server.Tenancy, metadata: server.Metadata, charges: server.Charges,
			tenants: tenants.Lister(), namespaces: ofNamespaces, names: namespaces.Lister(), request: server.RequestTimeout,
			children: metadatainformer.NewFilteredSharedInformerFactory(server.Metadata, 0, metav1.NamespaceAll, func(o *metav1.ListOptions) {
				o.LabelSelector = tenancy.TenantLabel
			}),
			begun: make(chan struct{}),
		}
		if !server.Alone {
			c.tallies = map[string]tally{}
		}
		if server.Behind {
			c.host = newHost(server, c.syncHost)
		}
		c.ofTenants, c.within = work.NewQueue(Name, c.syncTenant), work.NewQueue(Name+"-namespaces", c.syncNamespace)
		c.ofTenants.Workers, c.within.Workers = workers, workers
		c.ofTenants.Listen(ofTenants, cache.ResourceEventHandlerFuncs{
			AddFunc:    func(obj any) { c.changed(ctx, nil, obj) },
			UpdateFunc: func(old, obj any) { c.changed(ctx, old, obj) },
			DeleteFunc: work.Each(func(obj any) {
				if tenant, ok := obj.(*tenancyv1.Tenant); ok && limits(tenant) {
					c.tellHost()
				}
			}).OnDelete,
		})
		c.within.Listen(ofNamespaces, cache.ResourceEventHandlerFuncs{
			AddFunc:    func(obj any) { c.moved(nil, obj) },
			UpdateFunc: c.moved,
			DeleteFunc: func(obj any) { c.moved(obj, nil) },
		})
		var all sync.WaitGroup
		all.Go(func() { c.ofTenants.Run(ctx) })
		all.Go(func() { c.within.Run(ctx, ofTenants) })
		if c.host != nil {
			all.Go(func() { c.host.look.Run(ctx, ofTenants, ofNamespaces) })
		}
		all.Wait()
		c.children.Shutdown()
	}
}

// tenantOf is the index of namespaces by their tenant.
func tenantOf(obj any) ([]string, error) {
	if of, ok := obj.(metav1.Object); ok {
		if name, has := of.GetLabels()[tenancy.TenantLabel]; has {
			return []string{name}, nil
		}
	}
	return nil, nil
}

// changed queues a tenant, and its namespaces if what they get may have changed.
func (c *controller) changed(ctx context.Context, old, obj any) {
	tenant, ok := obj.(*tenancyv1.Tenant)
	if !ok {
		return
	}
	c.begin.Do(func() { c.watch(ctx) })
	before, known := old.(*tenancyv1.Tenant)
	if known && onlyCharged(before, tenant) {
		return
	}
	c.ofTenants.Add(tenant.Name)
	if known && before.Generation == tenant.Generation {
		return
	}
	if limits(tenant) || known && limits(before) {
		c.tellHost()
	}
	for _, namespace := range c.of(tenant.Name) {
		c.within.Add(namespace.Name)
	}
}

// tellHost has it seen to that a host asks about what tenants limit.
func (c *controller) tellHost() {
	if c.host != nil {
		c.host.look.Add(everything)
	}
}

// onlyCharged says whether a change is one of what is used of the quota, of which there
// are many.
func onlyCharged(before, now *tenancyv1.Tenant) bool {
	old, status := before.Status, now.Status
	old.QuotaUsed, status.QuotaUsed = nil, nil
	return !apiequality.Semantic.DeepEqual(before.Status.QuotaUsed, now.Status.QuotaUsed) &&
		before.Generation == now.Generation && apiequality.Semantic.DeepEqual(old, status) && slices.Equal(before.Finalizers, now.Finalizers)
}

// moved queues a namespace and its tenant, also the one that it was of.
func (c *controller) moved(old, obj any) {
	if gone, ok := old.(cache.DeletedFinalStateUnknown); ok {
		old = gone.Obj
	}
	for _, state := range []any{old, obj} {
		namespace, ok := state.(*corev1.Namespace)
		if !ok {
			continue
		}
		if name, has := namespace.Labels[tenancy.TenantLabel]; has {
			c.ofTenants.Add(name)
			c.within.Add(namespace.Name)
		}
		if c.marked(namespace) {
			c.within.Add(namespace.Name)
		}
	}
}

// watch begins to watch what the namespaces of tenants have got. What is there has to go if
// its namespace has left the tenant while no controller ran: all others are looked at
// already.
func (c *controller) watch(ctx context.Context) {
	defer close(c.begun)
	leave := func(obj any) {
		of, ok := obj.(metav1.Object)
		if !ok {
			return
		}
		namespace, err := c.names.Get(of.GetNamespace())
		if err != nil || namespace.Labels[tenancy.TenantLabel] != of.GetLabels()[tenancy.TenantLabel] {
			c.within.Add(of.GetNamespace())
		}
	}
	mend := func(obj any) {
		if of, ok := obj.(metav1.Object); ok {
			c.within.Add(of.GetNamespace())
		}
	}
	for _, kind := range kinds() {
		_, err := c.children.ForResource(kind.resource).Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    leave,
			UpdateFunc: func(_, obj any) { mend(obj) },
			DeleteFunc: work.Each(mend).OnDelete,
		})
		if err != nil {
			return // the factory has ended
		}
	}
	c.children.Start(ctx.Done())
}

// of returns the namespaces of a tenant.
func (c *controller) of(tenant string) []*corev1.Namespace {
	found, err := c.namespaces.GetIndexer().ByIndex(byTenant, tenant)
	if err != nil {
		return nil // the index is there
	}
	out := make([]*corev1.Namespace, 0, len(found))
	for _, obj := range found {
		if namespace, ok := obj.(*corev1.Namespace); ok {
			out = append(out, namespace)
		}
	}
	return out
}

// syncNamespace gives a namespace what its tenant says, and takes away what it said.
func (c *controller) syncNamespace(ctx context.Context, name string) error {
	namespace, err := c.names.Get(name)
	if apierrors.IsNotFound(err) || err == nil && namespace.DeletionTimestamp != nil {
		return nil
	}
	if err != nil {
		return err
	}
	var want []object
	if label, has := namespace.Labels[tenancy.TenantLabel]; has {
		tenant, err := c.tenants.Get(label)
		if apierrors.IsNotFound(err) { // it was deleted in spite of the namespace, which keeps what it got
			if !c.marksHost(namespace) {
				return nil
			}
			unmarked := metadataOf(namespace, nil, nil)
			return gone(c.apply(ctx, &unmarked))
		}
		if err != nil {
			return err
		}
		if want, err = c.defaultsOf(tenant, namespace); err != nil {
			return err
		}
	} else if c.marked(namespace) { // it left a tenant
		want = append(want, metadataOf(namespace, nil, nil))
	}
	for i := range want {
		if err := c.apply(ctx, &want[i]); err != nil {
			return gone(err)
		}
	}
	return gone(c.prune(ctx, name, want))
}

// gone says what the error of a write means: a namespace that goes needs nothing.
func gone(err error) error {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return err
}
