// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package attest is the admission plugin ClusterTrustBundleAttest: who
// publishes the trust of a signer must be allowed to vouch for it.
package attest

import (
	"context"
	"fmt"
	"io"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/certificates/signers"
	"github.com/stoa-project/stoa/apis/certificates"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "ClusterTrustBundleAttest"

type plugin struct{ *signers.Plugin }

var _ admission.ValidationInterface = plugin{}

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return plugin{signers.New(PluginName, admission.Create, admission.Update)}, nil
	})
}

// Validate implements admission.ValidationInterface.
func (p plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetResource().GroupResource() != certificates.Resource("clustertrustbundles") {
		return nil
	}
	bundle, ok := a.GetObject().(*certificates.ClusterTrustBundle)
	if !ok {
		return admission.NewForbidden(a, fmt.Errorf("expected type ClusterTrustBundle, got: %T", a.GetObject()))
	}
	// The new one: an update of the signer is refused later.
	if bundle.Spec.SignerName == "" {
		return nil
	}
	if old, ok := a.GetOldObject().(*certificates.ClusterTrustBundle); ok && onlyOwners(bundle, old) {
		return nil
	}
	if !p.Allowed(ctx, a, "attest", bundle.Spec.SignerName) {
		return admission.NewForbidden(a, fmt.Errorf("user not permitted to attest for signerName %q", bundle.Spec.SignerName))
	}
	return nil
}

// onlyOwners says that an update leaves all as it was but owners and finalizers, as
// storage migration and garbage collection do.
func onlyOwners(obj, old *certificates.ClusterTrustBundle) bool {
	same := obj.DeepCopy()
	same.OwnerReferences, same.Finalizers, same.ManagedFields = old.OwnerReferences, old.Finalizers, old.ManagedFields
	return apiequality.Semantic.DeepEqual(same, old)
}
