// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package tenants has what admission plugins share that ask for the tenant of a namespace.
package tenants

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/stoa-project/stoa/admission/namespaces"
	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	tenancylisters "github.com/stoa-project/stoa/generated/listers/tenancy/v1"
)

// Reader reads tenants. What its informers do not know is new or gone, and is asked for.
type Reader struct {
	Lister           tenancylisters.TenantLister
	Client           versioned.Interface
	NamespaceLister  corelisters.NamespaceLister
	NamespacesClient kubernetes.Interface
}

// Get returns a tenant; nil if there is none of that name.
func (r Reader) Get(ctx context.Context, name string) (*tenancyv1.Tenant, error) {
	tenant, err := r.Lister.Get(name)
	if apierrors.IsNotFound(err) {
		tenant, err = r.Client.TenancyV1().Tenants().Get(ctx, name, metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // there is none
	}
	return tenant, err
}

// Of returns the tenant that a namespace belongs to; nil for none. A namespace is free whose
// tenant was deleted in spite of it, and that one is not there is for others to say.
func (r Reader) Of(ctx context.Context, namespace string) (*tenancyv1.Tenant, error) {
	of, err := namespaces.Get(ctx, r.NamespaceLister, r.NamespacesClient, namespace)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	name, has := of.Labels[tenancy.TenantLabel]
	if !has {
		return nil, nil //nolint:nilnil // there is none
	}
	return r.Get(ctx, name)
}
