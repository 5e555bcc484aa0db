// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/stoa-project/stoa/apis/admissionregistration"
	"github.com/stoa-project/stoa/registry/kind"
)

// ValidatingAdmissionPolicyBindings returns the kind ValidatingAdmissionPolicyBinding.
func ValidatingAdmissionPolicyBindings() kind.Kind {
	return kind.New(kind.Definition[admissionregistration.ValidatingAdmissionPolicyBinding]{
		Kind: "ValidatingAdmissionPolicyBinding", Plural: "validatingadmissionpolicybindings", Categories: []string{"api-extensions"},
		ClusterScoped: true,
		Spec: kind.PartOf(func(v *admissionregistration.ValidatingAdmissionPolicyBinding) *admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec {
			return &v.Spec
		}),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
