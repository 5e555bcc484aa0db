// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resourcequota

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/sets"
	apiquota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/controllers/work"
	tenancylisters "github.com/stoa-project/stoa/generated/listers/tenancy/v1"
	"github.com/stoa-project/stoa/registry/tenancy/members"
)

// NewTenants returns the controller of the quotas of tenants: a function that works until
// its context ends.
func NewTenants(server work.Server) func(context.Context) {
	all, namespaces := server.TenancyInformers.Tenancy().V1().Tenants(), server.Informers.Core().V1().Namespaces()
	ofTenants, ofNamespaces := all.Informer(), namespaces.Informer()
	return func(ctx context.Context) {
		s := &tenants{
			server: server, known: all.Lister(), raised: map[string][]raise{}, late: map[string]late{},
			heard: map[string]string{}, ahead: sets.Set[string]{},
		}
		c := newController(server, TenantName, s)
		hear := func(tenant *tenancyv1.Tenant) {
			if s.hear(tenant) {
				c.queue.Add(tenant.Name)
			}
		}
		c.queue.Listen(ofTenants, cache.ResourceEventHandlerDetailedFuncs{
			AddFunc: func(obj any, initial bool) {
				if tenant, ok := obj.(*tenancyv1.Tenant); ok && limits(tenant) {
					if initial {
						s.charged(tenant.Name, "")
					}
					hear(tenant)
					c.queue.Add(tenant.Name)
				}
			},
			UpdateFunc: func(old, obj any) {
				before, ok := old.(*tenancyv1.Tenant)
				now, okNow := obj.(*tenancyv1.Tenant)
				if !ok || !okNow {
					return
				}
				if rises(before, now) {
					s.charged(now.Name, now.ResourceVersion)
				}
				hear(now)
				if !apiequality.Semantic.DeepEqual(before.Spec.Quota, now.Spec.Quota) {
					c.queue.Add(now.Name)
				}
			},
			DeleteFunc: work.Each(func(obj any) {
				if tenant, ok := obj.(*tenancyv1.Tenant); ok {
					s.forget(tenant.Name)
					if limits(tenant) {
						c.queue.Add(tenant.Name)
					}
				}
			}).OnDelete,
		})
		// A namespace comes with what is in it, and leaves with it.
		moved := func(from, to string) {
			if from == to {
				return
			}
			for _, name := range []string{from, to} {
				if s.limits(name) {
					c.queue.Add(name)
				}
			}
			if server.Behind && s.limits(to) { // the host may not have asked about what came at the same time
				c.queue.AddAfter(to, server.RequestTimeout)
			}
		}
		c.queue.Listen(ofNamespaces, cache.ResourceEventHandlerFuncs{
			AddFunc:    func(obj any) { moved("", tenantOf(obj)) },
			UpdateFunc: func(old, obj any) { moved(tenantOf(old), tenantOf(obj)) },
			DeleteFunc: work.Each(func(obj any) { moved(tenantOf(obj), "") }).OnDelete,
		})
		if server.Behind {
			defer server.Charges.Lost(func(namespace string) {
				if of, err := namespaces.Lister().Get(namespace); err == nil && s.limits(tenantOf(of)) {
					c.recount(tenantOf(of))
				}
			})()
		}
		c.run(ctx)
	}
}

// tenantOf is the tenant of a namespace; empty if it has none.
func tenantOf(obj any) string {
	if namespace, ok := obj.(*corev1.Namespace); ok {
		return namespace.Labels[tenancy.TenantLabel]
	}
	return ""
}

// limits says whether a tenant has a quota, or had one.
func limits(tenant *tenancyv1.Tenant) bool {
	return len(tenant.Spec.Quota.Hard) > 0 || len(tenant.Status.QuotaUsed) > 0
}

// limits says the same of the tenant with a name.
func (s *tenants) limits(name string) bool {
	tenant, err := s.known.Get(name)
	return err == nil && limits(tenant)
}

// rises says whether more is used of a quota than before.
func rises(before, now *tenancyv1.Tenant) bool {
	less, _ := apiquota.LessThanOrEqual(now.Status.QuotaUsed, before.Status.QuotaUsed)
	return !less
}

// tenants are those that have a quota.
//
// Who else charges it on another server, and has not stored what it charged for, nobody
// knows here. So nothing is taken off that is not there, until requests are over that were
// charged before. This server knows its own requests, and need not wait where no other one
// has charged of late.
type tenants struct {
	server work.Server
	known  tenancylisters.TenantLister

	lock   sync.Mutex
	raised map[string][]raise // by tenant
	late   map[string]late    // by tenant
	// heard is the newest version of each tenant that handlers were told of, and ahead are
	// the tenants that were read in a newer one.
	heard map[string]string
	ahead sets.Set[string]
}

var _ store = (*tenants)(nil)

// raise is a version of a tenant in which more is used than before; empty: one that was
// not seen.
type raise struct {
	version string
	at      time.Time
}

// late is what a tenant used at a moment, and when requests are over that were charged
// before that.
type late struct {
	uid  types.UID
	used corev1.ResourceList
	over time.Time
}

func (l late) passed() bool { return !time.Now().Before(l.over) }

// charged notes that more is used, if that may be for another server's request.
func (s *tenants) charged(tenant, version string) {
	if s.server.Alone {
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.raised[tenant] = append(slices.DeleteFunc(s.raised[tenant], s.past), raise{version, time.Now()})
}

// hear notes a version that handlers were told of. It returns true once a version is known
// that was waited for.
func (s *tenants) hear(tenant *tenancyv1.Tenant) bool {
	if s.server.Alone || !limits(tenant) {
		return false
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.heard[tenant.Name] = tenant.ResourceVersion
	waited := s.ahead.Has(tenant.Name)
	s.ahead.Delete(tenant.Name)
	return waited
}

// forget forgets a tenant that is gone.
func (s *tenants) forget(tenant string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.heard, tenant)
	s.ahead.Delete(tenant)
}

// told says whether handlers were told of a version, and so of every raise before it.
func (s *tenants) told(tenant *tenancyv1.Tenant) bool {
	heard, ok := s.heard[tenant.Name]
	if !ok || heard == tenant.ResourceVersion {
		return ok
	}
	order, err := resourceversion.CompareResourceVersion(heard, tenant.ResourceVersion)
	return err == nil && order >= 0
}

func (s *tenants) past(r raise) bool {
	return time.Since(r.at) > s.server.RequestTimeout || r.version != "" && s.server.Charges.Own(r.version)
}

func (s *tenants) get(ctx context.Context, key string) (*account, error) {
	tenant, err := s.server.Tenancy.TenancyV1().Tenants().Get(ctx, key, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && !limits(tenant) {
		s.lock.Lock()
		defer s.lock.Unlock()
		delete(s.raised, key)
		delete(s.late, key)
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	list, err := members.List(ctx, s.server.Metadata, key)
	if err != nil {
		return nil, err
	}
	out := &account{quota: quota.OfTenant(tenant, ""), tenant: tenant}
	for i := range list {
		out.namespaces = append(out.namespaces, list[i].Name)
	}
	return out, nil
}

func (s *tenants) put(ctx context.Context, a *account, status corev1.ResourceQuotaStatus) error {
	wanted := a.tenant.DeepCopy()
	wanted.Status.QuotaUsed = status.Used
	now, err := s.server.Tenancy.TenancyV1().Tenants().UpdateStatus(ctx, wanted, metav1.UpdateOptions{FieldManager: quota.Manager})
	if err != nil {
		return err
	}
	s.server.Charges.Wrote(now.ResourceVersion)
	s.lock.Lock()
	defer s.lock.Unlock()
	if before, ok := s.late[now.Name]; ok && before.passed() { // from now on something was taken off
		s.late[now.Name] = s.from(now)
	}
	return nil
}

// guard implements store. A host may not have asked about what was on its way when
// something was limited for the first time.
func (s *tenants) guard(key string, a *account, usage corev1.ResourceList) (corev1.ResourceList, time.Duration) {
	kept, rest := s.keep(key, a, usage)
	if s.server.Behind && rest == 0 && len(apiquota.Mask(a.quota.Status.Used, apiquota.ResourceNames(usage))) < len(usage) {
		rest = s.server.RequestTimeout
	}
	return kept, rest
}

// keep returns what may be written of what was counted. What is charged by another server
// is there as soon as late has passed, or never will be. Of a version that handlers were
// not told of yet nobody knows whose charges are in it: it is looked at when they are.
func (s *tenants) keep(key string, a *account, usage corev1.ResourceList) (corev1.ResourceList, time.Duration) {
	if s.server.Alone {
		return usage, 0
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	names, used := apiquota.ResourceNames(usage), a.quota.Status.Used
	if !s.told(a.tenant) {
		s.ahead.Insert(key)
		return apiquota.Max(usage, apiquota.Mask(used, names)), s.server.RequestTimeout
	}
	s.raised[key] = slices.DeleteFunc(s.raised[key], s.past)
	if len(s.raised[key]) == 0 {
		delete(s.raised, key)
		delete(s.late, key)
		return usage, 0
	}
	before, ok := s.late[key]
	if ok && before.uid == a.quota.UID && before.passed() {
		// What was charged since may or may not have been counted.
		return apiquota.Add(usage, apiquota.Mask(apiquota.SubtractWithNonNegativeResult(used, before.used), names)), s.server.RequestTimeout
	}
	kept := apiquota.Max(usage, apiquota.Mask(used, names))
	if apiquota.Equals(kept, usage) {
		return usage, 0
	}
	if !ok || before.uid != a.quota.UID {
		before = s.from(a.tenant)
		s.late[key] = before
	}
	return kept, time.Until(before.over)
}

// from begins to wait for what has been charged to a tenant.
func (s *tenants) from(tenant *tenancyv1.Tenant) late {
	return late{tenant.UID, tenant.Status.QuotaUsed, time.Now().Add(s.server.RequestTimeout)}
}
