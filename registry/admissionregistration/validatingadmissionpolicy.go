// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/stoa-project/stoa/apis/admissionregistration"
	"github.com/stoa-project/stoa/registry/kind"
)

// ValidatingAdmissionPolicies returns the kind ValidatingAdmissionPolicy.
func ValidatingAdmissionPolicies() kind.Kind {
	return kind.New(kind.Definition[admissionregistration.ValidatingAdmissionPolicy]{
		Kind: "ValidatingAdmissionPolicy", Plural: "validatingadmissionpolicies", Categories: []string{"api-extensions"},
		ClusterScoped: true,
		Spec: kind.PartOf(func(v *admissionregistration.ValidatingAdmissionPolicy) *admissionregistrationv1.ValidatingAdmissionPolicySpec {
			return &v.Spec
		}),
		Status: kind.PartOf(func(v *admissionregistration.ValidatingAdmissionPolicy) *admissionregistrationv1.ValidatingAdmissionPolicyStatus {
			return &v.Status
		}),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
