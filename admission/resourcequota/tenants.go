// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resourcequota

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	apiquota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/lru"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/admission/tenants"
	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
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
	// Hosted is how long a host may take to store what has been charged here. It charges the
	// quotas of namespaces itself. Zero: this server stores the objects.
	Hosted time.Duration
}

// Initialize implements admission.PluginInitializer.
func (i Tenants) Initialize(to admission.Interface) {
	p, ok := to.(*plugin)
	if !ok {
		return
	}
	all, of := i.Informers.Tenancy().V1().Tenants(), i.Namespaces.Core().V1().Namespaces()
	p.quotas.tenants = &limits{
		tenants: tenants.Reader{Lister: all.Lister(), Client: i.Client, NamespaceLister: of.Lister(), NamespacesClient: i.Core},
		written: lru.New(remembered), charges: p.charges,
	}
	p.hosted = i.Hosted
	p.synced = append(p.synced, all.Informer().HasSynced, of.Informer().HasSynced)
}

// limits charges the quotas of tenants. Nil has none.
type limits struct {
	charging locks.ByName // by tenant
	tenants  tenants.Reader
	charges  *quota.Charges
	written  *lru.Cache
}

// limiting returns the tenant that limits what a namespace uses; nil if none does.
func (t *limits) limiting(ctx context.Context, namespace string) (*tenancyv1.Tenant, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	tenant, err := t.tenants.Of(ctx, namespace)
	if err != nil || tenant == nil {
		return nil, err
	}
	if tenant = newest(t.written, tenant.Name, tenant); len(tenant.Spec.Quota.Hard) == 0 {
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
func (t *limits) charge(ctx context.Context, name string, charged *corev1.ResourceQuota) error {
	more := apiquota.RemoveZeros(apiquota.SubtractWithNonNegativeResult(charged.Status.Used, charged.Spec.Hard))
	tenant, err := t.tenants.Lister.Get(name)
	if err == nil {
		tenant = newest(t.written, name, tenant)
	}
	full := false
	err = again(func() error {
		if tenant == nil || err != nil {
			if tenant, err = t.tenants.Client.TenancyV1().Tenants().Get(ctx, name, metav1.GetOptions{}); err != nil {
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
		now, err := t.tenants.Client.TenancyV1().Tenants().UpdateStatus(ctx, wanted, metav1.UpdateOptions{FieldManager: quota.Manager})
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
