// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package approval is the admission plugin CertificateApproval: who approves a
// request for a certificate must be allowed to for its signer.
package approval

import (
	"context"
	"fmt"
	"io"

	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/certificates/signers"
	"github.com/stoa-project/stoa/apis/certificates"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "CertificateApproval"

type plugin struct{ *signers.Plugin }

var _ admission.ValidationInterface = plugin{}

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return plugin{signers.New(PluginName, admission.Update)}, nil
	})
}

// Validate implements admission.ValidationInterface.
func (p plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetResource().GroupResource() != certificates.Resource("certificatesigningrequests") || a.GetSubresource() != "approval" {
		return nil
	}
	// The old one: an update of the signer is refused only later.
	request, ok := a.GetOldObject().(*certificates.CertificateSigningRequest)
	if !ok {
		return admission.NewForbidden(a, fmt.Errorf("expected type CertificateSigningRequest, got: %T", a.GetOldObject()))
	}
	if !p.Allowed(ctx, a, "approve", request.Spec.SignerName) {
		return admission.NewForbidden(a, fmt.Errorf("user not permitted to approve requests with signerName %q", request.Spec.SignerName))
	}
	return nil
}
