// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package ownerpermission is the admission plugin OwnerReferencesPermissionEnforcement:
// who gives an object an owner must be able to delete it, and who blocks the deletion of
// the owner must be able to set finalizers on that.
package ownerpermission

import (
	"context"
	"errors"
	"fmt"
	"io"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/apis/core"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "OwnerReferencesPermissionEnforcement"

type plugin struct {
	*admission.Handler
	authorizer authorizer.UnconditionalAuthorizer
	mapper     meta.RESTMapper
}

var (
	_ admission.ValidationInterface                            = (*plugin)(nil)
	_ admission.InitializationValidator                        = (*plugin)(nil)
	_ genericadmissioninitializer.WantsUnconditionalAuthorizer = (*plugin)(nil)
	_ genericadmissioninitializer.WantsRESTMapper              = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{Handler: admission.NewHandler(admission.Create, admission.Update)}, nil
	})
}

// SetUnconditionalAuthorizer implements WantsUnconditionalAuthorizer.
func (p *plugin) SetUnconditionalAuthorizer(a authorizer.UnconditionalAuthorizer) { p.authorizer = a }

// SetRESTMapper implements WantsRESTMapper.
func (p *plugin) SetRESTMapper(mapper meta.RESTMapper) { p.mapper = mapper }

// ValidateInitialization implements admission.InitializationValidator.
func (p *plugin) ValidateInitialization() error {
	if p.authorizer == nil {
		return errors.New("missing authorizer")
	}
	if p.mapper == nil {
		return errors.New("missing restMapper")
	}
	return nil
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	// The status of a pod cannot change its owners, and old kubelets send broken ones.
	if a.GetResource().GroupResource() == core.Resource("pods") && a.GetSubresource() == "status" {
		return nil
	}
	owners, before := ownersOf(a.GetObject()), ownersOf(a.GetOldObject())
	if apiequality.Semantic.DeepEqual(owners, before) {
		return nil
	}
	if a.GetOperation() != admission.Create { // who creates it could create it so
		decision, reason, err := p.authorizer.Authorize(ctx, authorizer.AttributesRecord{
			User: a.GetUserInfo(), Verb: "delete", Namespace: a.GetNamespace(), Name: a.GetName(), ResourceRequest: true,
			APIGroup: a.GetResource().Group, APIVersion: a.GetResource().Version, Resource: a.GetResource().Resource, Subresource: a.GetSubresource(),
		})
		if decision != authorizer.DecisionAllow {
			return admission.NewForbidden(a, fmt.Errorf("cannot set an ownerRef on a resource you can't delete: %v, %v", reason, err)) //nolint:errorlint // as in Kubernetes
		}
	}
	blocking := newlyBlocking(owners, before)
	if len(blocking) == 0 || p.finalizesAll(ctx, a) {
		return nil
	}
	for _, ref := range blocking {
		if err := p.checkBlocking(ctx, a, ref); err != nil {
			return err
		}
	}
	return nil
}

// finalizesAll says whether the user may set finalizers everywhere: then there is no
// need to find out what the owner is, which may take the network.
func (p *plugin) finalizesAll(ctx context.Context, a admission.Attributes) bool {
	decision, _, _ := p.authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User: a.GetUserInfo(), Verb: "update", APIGroup: "*", APIVersion: "*", Resource: "*", Subresource: "finalizers", Name: "*", ResourceRequest: true,
	})
	return decision == authorizer.DecisionAllow
}

// checkBlocking refuses a reference that blocks the deletion of an owner to whom may
// not set finalizers on it.
func (p *plugin) checkBlocking(ctx context.Context, a admission.Attributes, ref metav1.OwnerReference) error {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	var mappings []*meta.RESTMapping
	if err == nil {
		mappings, err = p.mapper.RESTMappings(gv.WithKind(ref.Kind).GroupKind(), gv.Version)
	}
	if err != nil {
		return admission.NewForbidden(a, fmt.Errorf("cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion %v Kind %v: %w", ref.APIVersion, ref.Kind, err))
	}
	for _, mapping := range mappings {
		record := authorizer.AttributesRecord{
			User: a.GetUserInfo(), Verb: "update", Name: ref.Name, ResourceRequest: true,
			APIGroup: mapping.Resource.Group, APIVersion: mapping.Resource.Version, Resource: mapping.Resource.Resource, Subresource: "finalizers",
		}
		if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
			record.Namespace = a.GetNamespace() // an owner is in the same namespace
		}
		decision, reason, err := p.authorizer.Authorize(ctx, record)
		if decision != authorizer.DecisionAllow {
			return admission.NewForbidden(a, fmt.Errorf("cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: %v, %v", reason, err)) //nolint:errorlint // as in Kubernetes
		}
	}
	return nil
}

func ownersOf(obj runtime.Object) []metav1.OwnerReference {
	if obj == nil {
		return nil
	}
	accessor, err := meta.Accessor(obj)
	if err != nil {
		return nil
	}
	return accessor.GetOwnerReferences()
}

// newlyBlocking are the owners whose deletion is blocked, and was not.
func newlyBlocking(owners, before []metav1.OwnerReference) []metav1.OwnerReference {
	blocks := func(ref metav1.OwnerReference) bool { return ref.BlockOwnerDeletion != nil && *ref.BlockOwnerDeletion }
	had := map[string]bool{}
	for _, ref := range before {
		had[string(ref.UID)] = blocks(ref)
	}
	var out []metav1.OwnerReference
	for _, ref := range owners {
		if blocks(ref) && !had[string(ref.UID)] {
			out = append(out, ref)
		}
	}
	return out
}
