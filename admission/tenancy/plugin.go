// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package tenancy is the admission plugin Tenancy, which keeps the rules of tenants:
// who may have a namespace belong to one and how many may, where its pods run, and that
// nothing changes in those of a tenant that is suspended. For grants it writes into the
// audit log what they grant.
package tenancy

import (
	"context"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/admission/tenants"
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
	"github.com/stoa-project/stoa/registry/tenancy/locks"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "Tenancy"

// Initializer gives the plugin access to tenants.
type Initializer struct {
	Client    versioned.Interface
	Informers externalversions.SharedInformerFactory
}

// Initialize implements admission.PluginInitializer.
func (i Initializer) Initialize(to admission.Interface) {
	if p, ok := to.(*plugin); ok {
		all := i.Informers.Tenancy().V1().Tenants()
		p.tenants.Client, p.tenants.Lister, p.tenantsSynced = i.Client, all.Lister(), all.Informer().HasSynced
	}
}

type plugin struct {
	*admission.Handler

	charges       *quota.Charges
	tenants       tenants.Reader
	tenantsSynced func() bool
	authorizer    authorizer.Authorizer
	counting      locks.ByName // by tenant
}

var (
	_ admission.MutationInterface                  = (*plugin)(nil)
	_ admission.ValidationInterface                = (*plugin)(nil)
	_ initializer.WantsExternalKubeClientSet       = (*plugin)(nil)
	_ initializer.WantsExternalKubeInformerFactory = (*plugin)(nil)
	_ initializer.WantsAuthorizer                  = (*plugin)(nil)
	_ admission.InitializationValidator            = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled. It notes in charges the
// requests that make namespaces of tenants.
func Register(plugins *admission.Plugins, charges *quota.Charges) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{Handler: admission.NewHandler(admission.Create, admission.Update, admission.Delete, admission.Connect), charges: charges}, nil
	})
}

// SetExternalKubeClientSet implements WantsExternalKubeClientSet.
func (p *plugin) SetExternalKubeClientSet(client kubernetes.Interface) {
	p.tenants.NamespacesClient = client
}

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *plugin) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	all := factory.Core().V1().Namespaces()
	p.tenants.NamespaceLister = all.Lister()
	p.SetReadyFunc(func() bool { return all.Informer().HasSynced() && p.tenantsSynced() })
}

// SetAuthorizer implements WantsAuthorizer.
func (p *plugin) SetAuthorizer(a authorizer.Authorizer) { p.authorizer = a }

// ValidateInitialization implements admission.InitializationValidator.
func (p *plugin) ValidateInitialization() error {
	if p.tenants.Client == nil || p.tenants.NamespacesClient == nil || p.tenants.NamespaceLister == nil || p.authorizer == nil {
		return errors.New("missing a client, informers or the authorizer of " + PluginName)
	}
	return nil
}

// Admit implements admission.MutationInterface: pods are placed.
func (p *plugin) Admit(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetResource().GroupResource() != core.Resource("pods") || a.GetSubresource() != "" || a.GetOperation() != admission.Create {
		return nil
	}
	tenant, err := p.of(ctx, a)
	if err != nil || tenant == nil {
		return err
	}
	pod, ok := a.GetObject().(*core.Pod)
	if !ok {
		return apierrors.NewBadRequest(fmt.Sprintf("resource was marked with kind Pod but was unable to be converted: %T", a.GetObject()))
	}
	place(pod, &tenant.Spec.Placement)
	return nil
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	switch a.GetResource().GroupResource() {
	case core.Resource("namespaces"):
		return p.namespace(ctx, a)
	case tenancy.Resource("tenants"):
		warn(ctx, a)
	case tenancy.Resource("grants"):
		if err := tell(a); err != nil {
			return err
		}
	}
	if a.GetNamespace() == "" {
		return nil
	}
	tenant, err := p.of(ctx, a)
	if err != nil || tenant == nil {
		return err
	}
	if err := p.active(ctx, a, tenant); err != nil {
		return err
	}
	if a.GetResource().GroupResource() == core.Resource("pods") && a.GetSubresource() == "" && a.GetOperation() != admission.Delete {
		return p.placed(ctx, a, tenant)
	}
	return nil
}

// of returns the tenant that the namespace of a request belongs to; nil for none.
func (p *plugin) of(ctx context.Context, a admission.Attributes) (*tenancyv1.Tenant, error) {
	if !p.WaitForReady() {
		return nil, admission.NewForbidden(a, errors.New("not yet ready to handle request"))
	}
	tenant, err := p.tenants.Of(ctx, a.GetNamespace())
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	return tenant, nil
}
