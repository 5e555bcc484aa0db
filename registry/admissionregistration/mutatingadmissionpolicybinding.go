// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/stoa-project/stoa/apis/admissionregistration"
	"github.com/stoa-project/stoa/registry/kind"
)

// MutatingAdmissionPolicyBindings returns the kind MutatingAdmissionPolicyBinding.
func MutatingAdmissionPolicyBindings() kind.Kind {
	return kind.New(kind.Definition[admissionregistration.MutatingAdmissionPolicyBinding]{
		Kind: "MutatingAdmissionPolicyBinding", Plural: "mutatingadmissionpolicybindings", Categories: []string{"api-extensions"},
		ClusterScoped: true,
		Spec: kind.PartOf(func(m *admissionregistration.MutatingAdmissionPolicyBinding) *admissionregistrationv1.MutatingAdmissionPolicyBindingSpec {
			return &m.Spec
		}),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
