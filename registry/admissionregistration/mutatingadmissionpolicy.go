// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/stoa-project/stoa/apis/admissionregistration"
	"github.com/stoa-project/stoa/registry/kind"
)

// MutatingAdmissionPolicies returns the kind MutatingAdmissionPolicy.
func MutatingAdmissionPolicies() kind.Kind {
	return kind.New(kind.Definition[admissionregistration.MutatingAdmissionPolicy]{
		Kind: "MutatingAdmissionPolicy", Plural: "mutatingadmissionpolicies", Categories: []string{"api-extensions"},
		ClusterScoped: true,
		Spec: kind.PartOf(func(m *admissionregistration.MutatingAdmissionPolicy) *admissionregistrationv1.MutatingAdmissionPolicySpec {
			return &m.Spec
		}),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
