// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package noderestriction is the admission plugin NodeRestriction: a node writes its own
// object, what belongs to it, and the status of its pods, and gets tokens and
// certificates for these pods only. The authorization mode Node, which knows names
// alone, relies on it. It reads the few objects that it compares with from the API
// when a node writes, and costs nothing when none does.
package noderestriction

import (
	"context"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/featuregate"

	"github.com/stoa-project/stoa/apis/certificates"
	"github.com/stoa-project/stoa/apis/coordination"
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/resource"
	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/authz/node"
	"github.com/stoa-project/stoa/features"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "NodeRestriction"

type plugin struct {
	*admission.Handler

	client kubernetes.Interface
	authz  authorizer.UnconditionalAuthorizer
	// What the feature gates say.
	inspected, anySigningRequest, audiences, podCertificates bool
}

var (
	_ admission.MutationInterface                              = (*plugin)(nil)
	_ admission.InitializationValidator                        = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeClientSet   = (*plugin)(nil)
	_ genericadmissioninitializer.WantsUnconditionalAuthorizer = (*plugin)(nil)
	_ genericadmissioninitializer.WantsFeatures                = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{Handler: admission.NewHandler(admission.Create, admission.Update, admission.Delete)}, nil
	})
}

// SetExternalKubeClientSet implements WantsExternalKubeClientSet.
func (p *plugin) SetExternalKubeClientSet(client kubernetes.Interface) { p.client = client }

// SetUnconditionalAuthorizer implements WantsUnconditionalAuthorizer.
func (p *plugin) SetUnconditionalAuthorizer(authz authorizer.UnconditionalAuthorizer) {
	p.authz = authz
}

// InspectFeatureGates implements WantsFeatures.
func (p *plugin) InspectFeatureGates(gates featuregate.FeatureGate) {
	p.anySigningRequest = gates.Enabled(features.AllowInsecureKubeletCertificateSigningRequests)
	p.audiences = gates.Enabled(features.ServiceAccountNodeAudienceRestriction)
	p.podCertificates = gates.Enabled(features.PodCertificateRequest)
	p.inspected = true
}

// ValidateInitialization implements admission.InitializationValidator.
func (p *plugin) ValidateInitialization() error {
	if p.client == nil || p.authz == nil || !p.inspected {
		return errors.New(PluginName + " plugin needs a client, an authorizer and feature gates")
	}
	return nil
}

// request is a write of a node.
type request struct {
	admission.Attributes

	node string
}

// Admit implements admission.MutationInterface, although it changes nothing: as in
// kube-apiserver it refuses before other plugins do work.
func (p *plugin) Admit(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	name, isNode := node.Identity(a.GetUserInfo())
	if !isNode {
		return nil
	}
	r := &request{a, name}
	if name == "" {
		return r.refuse("could not determine node from user %q", a.GetUserInfo().GetName())
	}
	switch a.GetResource().GroupResource() {
	case core.Resource("pods"):
		return p.admitPods(ctx, r)
	case core.Resource("nodes"):
		return admitNode(r)
	case core.Resource("persistentvolumeclaims"):
		return admitClaim(r)
	case core.Resource("serviceaccounts"):
		return p.admitToken(ctx, r)
	case certificates.Resource("podcertificaterequests"):
		return p.admitPodCertificate(ctx, r)
	case certificates.Resource("certificatesigningrequests"):
		if p.anySigningRequest {
			return nil
		}
		return admitSigningRequest(r)
	case coordination.Resource("leases"):
		return admitLease(r)
	case storage.Resource("csinodes"):
		return r.wantOwnName("can only access CSINode with the same name as the requesting node")
	case resource.Resource("resourceslices"):
		return admitSlice(r)
	}
	return nil
}

// refuse returns the error of a request that is forbidden.
func (r *request) refuse(format string, args ...any) error {
	return admission.NewForbidden(r, fmt.Errorf(format, args...))
}

// passOn returns the error of a look-up: the node may try again with what is not there.
func (r *request) passOn(err error) error {
	if apierrors.IsNotFound(err) {
		return err
	}
	return admission.NewForbidden(r, err)
}

// as returns an object of the request by its type.
func as[T runtime.Object](r *request, obj runtime.Object) (T, error) {
	typed, ok := obj.(T)
	if !ok {
		return typed, r.refuse("unexpected type %T", obj)
	}
	return typed, nil
}

// wantOwnName refuses what has not the name of the node. That of a new object is in it.
func (r *request) wantOwnName(reason string) error {
	name := r.GetName()
	if r.GetOperation() == admission.Create {
		obj, err := meta.Accessor(r.GetObject())
		if err != nil {
			return r.refuse("unable to access the object name")
		}
		name = obj.GetName()
	}
	if name != r.node {
		return r.refuse("%s", reason)
	}
	return nil
}

func admitLease(r *request) error {
	const namespace = "kube-node-lease"
	if r.GetNamespace() != namespace {
		return r.refuse("can only access leases in the %q system namespace", namespace)
	}
	return r.wantOwnName("can only access node lease with the same name as the requesting node")
}

// admitSlice looks at slices of which the mode Node does not know whose they are: new
// ones, and those that are deleted together.
func admitSlice(r *request) error {
	obj, verb := r.GetObject(), "create"
	switch r.GetOperation() {
	case admission.Create:
	case admission.Delete:
		obj, verb = r.GetOldObject(), "delete"
	default:
		return nil
	}
	slice, err := as[*resource.ResourceSlice](r, obj)
	if err != nil {
		return err
	}
	if slice.Spec.NodeName == nil || *slice.Spec.NodeName != r.node {
		return r.refuse("can only %s ResourceSlice with the same NodeName as the requesting node", verb)
	}
	return nil
}
