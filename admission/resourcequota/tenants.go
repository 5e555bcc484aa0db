// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resourcequota

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	apiquota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/utils/lru"

	"github.com/stoa-project/stoa/admission/namespaces"
	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
	tenancylisters "github.com/stoa-project/stoa/generated/listers/tenancy/v1"
	"github.com/stoa-project/stoa/registry/tenancy/locks"
)

// Tenants gives the plugin access to tenants, whose quotas hold for all their namespaces.
// Without it there are none.
type Tenants struct {
	Client    versioned.Interface
	Informers externalversions.SharedInformerFactory
	// Core has the namespaces, and Namespaces informers that know of which tenant they are.
	Core       kubernetes.Interface
	Namespaces informers.SharedInformerFactory
}

// Initialize implements admission.PluginInitializer.
func (i Tenants) Initialize(to admission.Interface) {
	p, ok := to.(*plugin)
	if !ok {
		return
	}
	all, of := i.Informers.Tenancy().V1().Tenants(), i.Namespaces.Core().V1().Namespaces()
	p.quotas.tenants = &tenants{
		own: i.Client, client: i.Core, all: all.Lister(), namespaces: of.Lister(), written: lru.New(remembered), charges: p.charges,
	}
	p.synced = append(p.synced, all.Informer().HasSynced, of.Informer().HasSynced)
}

// tenants charges the quotas of tenants. Nil has none.
type tenants struct {
	charging   locks.ByName // by tenant
	own        versioned.Interface
	client     kubernetes.Interface
	all        tenancylisters.TenantLister
	namespaces corelisters.NamespaceLister
	charges    *quota.Charges
	written    *lru.Cache
}

// limiting returns the tenant that limits what a namespace uses; nil if none does.
func (t *tenants) limiting(ctx context.Context, namespace string) (*tenancyv1.Tenant, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	of, err := namespaces.Get(ctx, t.namespaces, t.client, namespace)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // that it is not there is for others to say
	}
	if err != nil {
		return nil, err
	}
	name, has := of.Labels[tenancy.TenantLabel]
	if !has {
		return nil, nil //nolint:nilnil // there is none
	}
	tenant, err := t.all.Get(name)
	if apierrors.IsNotFound(err) {
		tenant, err = t.own.TenancyV1().Tenants().Get(ctx, name, metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // deleted in spite of the namespace, which is free then
	}
	if err != nil {
		return nil, err
	}
	if tenant = newest(t.written, name, tenant); len(tenant.Spec.Quota.Hard) == 0 {
		return nil, nil //nolint:nilnil // it limits nothing
	}
	return tenant, nil
}

// asRead returns the quota of a tenant for the evaluator. Nobody looks at its spec, so
// that keeps what was used before, and the difference later is what is charged.
func asRead(tenant *tenancyv1.Tenant, namespace string) *corev1.ResourceQuota {
	out := quota.OfTenant(tenant, namespace)
	out.Spec.Hard = tenant.Status.QuotaUsed
	return out
}

// charge adds to what a tenant uses. The write holds for the version that was read. If
// others were faster and there is room nevertheless, it is added to theirs; if there is
// not, that is a conflict, and the evaluator looks again.
func (t *tenants) charge(ctx context.Context, name string, charged *corev1.ResourceQuota) error {
	more := apiquota.RemoveZeros(apiquota.SubtractWithNonNegativeResult(charged.Status.Used, charged.Spec.Hard))
	tenant, err := t.all.Get(name)
	if err == nil {
		tenant = newest(t.written, name, tenant)
	}
	full := false
	err = again(func() error {
		if tenant == nil || err != nil {
			if tenant, err = t.own.TenancyV1().Tenants().Get(ctx, name, metav1.GetOptions{}); err != nil {
				return err
			}
			t.written.Add(name, tenant)
		}
		used := apiquota.Add(tenant.Status.QuotaUsed, more)
		fits, _ := apiquota.LessThanOrEqual(apiquota.Mask(used, apiquota.ResourceNames(more)), tenant.Spec.Quota.Hard)
		if full = !fits && tenant.ResourceVersion != charged.ResourceVersion; full {
			return nil
		}
		wanted := tenant.DeepCopy()
		wanted.Status.QuotaUsed = used
		now, err := t.own.TenancyV1().Tenants().UpdateStatus(ctx, wanted, metav1.UpdateOptions{FieldManager: quota.Manager})
		if err != nil {
			tenant = nil
			return err
		}
		t.charges.Wrote(now.ResourceVersion)
		t.written.Add(name, now)
		return nil
	})
	if full {
		return apierrors.NewConflict(tenancy.Resource("tenants"), name, errors.New("others have used what is left of the quota"))
	}
	return err
}
