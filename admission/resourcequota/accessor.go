// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resourcequota

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/lru"

	"github.com/stoa-project/stoa/admission/quota"
)

const (
	// remembered is how many quotas are known as they were written last.
	remembered = 1000
	// writeTimeout bounds how long a quota is written. Requests wait for ten seconds.
	writeTimeout = 8 * time.Second
)

// accessor is where the evaluator of the library has quotas from, and charges them.
type accessor struct {
	client  kubernetes.Interface
	quotas  corelisters.ResourceQuotaLister // nil: those of tenants alone
	tenants *limits                         // nil: there are none
	drained <-chan struct{}
	// written are quotas as they were charged, until the informer knows them.
	written *lru.Cache
}

var _ resourcequota.QuotaAccessor = (*accessor)(nil)

// begin returns the context of a read or a write; requests have none here.
func (a *accessor) begin() (context.Context, context.CancelFunc) {
	return context.WithTimeout(wait.ContextForChannel(a.drained), writeTimeout)
}

// GetQuotas implements resourcequota.QuotaAccessor.
func (a *accessor) GetQuotas(namespace string) ([]corev1.ResourceQuota, error) {
	ctx, cancel := a.begin()
	defer cancel()
	list, err := a.ofNamespace(namespace)
	if err != nil {
		return nil, err
	}
	out := make([]corev1.ResourceQuota, 0, len(list)+1)
	for _, q := range list {
		out = append(out, *newest(a.written, namespace+"/"+q.Name, q))
	}
	tenant, err := a.tenants.limiting(ctx, namespace)
	if err != nil || tenant == nil {
		return out, err
	}
	return append(out, *asRead(tenant, namespace)), nil
}

// ofNamespace returns the quotas that a namespace has itself.
func (a *accessor) ofNamespace(namespace string) ([]*corev1.ResourceQuota, error) {
	if a.quotas == nil {
		return nil, nil
	}
	return a.quotas.ResourceQuotas(namespace).List(labels.Everything())
}

// UpdateQuotaStatus implements resourcequota.QuotaAccessor. After a conflict the evaluator
// asks for the quotas again, so they are read: the informer may not know what another
// server has charged.
func (a *accessor) UpdateQuotaStatus(q *corev1.ResourceQuota) error {
	ctx, cancel := a.begin()
	defer cancel()
	if name := quota.TenantOf(q.Name); name != "" {
		return a.tenants.charge(ctx, name, q)
	}
	quotas := a.client.CoreV1().ResourceQuotas(q.Namespace)
	now, err := quotas.UpdateStatus(ctx, q, metav1.UpdateOptions{})
	conflict := err
	if apierrors.IsConflict(err) {
		now, err = quotas.Get(ctx, q.Name, metav1.GetOptions{})
	}
	if err != nil {
		return err
	}
	a.written.Add(q.Namespace+"/"+q.Name, now)
	return conflict
}

// lock has one worker at a time charge a tenant: they would all try again but one. They
// do if it takes too long.
func (a *accessor) lock(quotas []corev1.ResourceQuota) (unlock func()) {
	free := func() {}
	i := slices.IndexFunc(quotas, func(q corev1.ResourceQuota) bool { return quota.TenantOf(q.Name) != "" })
	if i < 0 {
		return free
	}
	ctx, cancel := a.begin()
	defer cancel()
	unlock, err := a.tenants.charging.Lock(ctx, quota.TenantOf(quotas[i].Name))
	if err != nil {
		return free
	}
	return unlock
}

// contention is how a tenant is charged that others charge on another server.
func contention() wait.Backoff {
	return wait.Backoff{Duration: 2 * time.Millisecond, Factor: 1.5, Jitter: 1, Steps: 12}
}

// again does something that may conflict until it does not.
func again(do func() error) error { return retry.RetryOnConflict(contention(), do) }

// object is what has a resource version.
type object interface {
	runtime.Object
	metav1.Object
	comparable
}

// newest returns what a cache has under a key, if it is newer than what an informer has.
func newest[T object](cache *lru.Cache, key string, known T) T {
	cached, ok := cache.Get(key)
	if !ok {
		return known
	}
	written, ok := cached.(T)
	if !ok || written.GetUID() != known.GetUID() || (storage.APIObjectVersioner{}).CompareResourceVersion(known, written) >= 0 {
		cache.Remove(key)
		return known
	}
	return written
}
