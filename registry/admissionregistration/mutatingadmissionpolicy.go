// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/admissionregistration"
	"github.com/stoa-project/stoa/apis/admissionregistration/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// MutatingAdmissionPolicies returns the kind MutatingAdmissionPolicy.
func MutatingAdmissionPolicies() kind.Kind {
	type policy = admissionregistration.MutatingAdmissionPolicy
	return kind.New(kind.Definition[policy]{
		Kind: "MutatingAdmissionPolicy", Plural: "mutatingadmissionpolicies", Categories: []string{"api-extensions"},
		ClusterScoped: true,
		Spec:          kind.PartOf(func(p *policy) *admissionregistrationv1.MutatingAdmissionPolicySpec { return &p.Spec }),
		Strategy: kind.Strategy[policy]{
			Validate: func(_ context.Context, obj *policy) field.ErrorList {
				return validation.ValidateMutatingAdmissionPolicy((*admissionregistrationv1.MutatingAdmissionPolicy)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *policy) field.ErrorList {
				return validation.ValidateMutatingAdmissionPolicyUpdate((*admissionregistrationv1.MutatingAdmissionPolicy)(obj), (*admissionregistrationv1.MutatingAdmissionPolicy)(old))
			},
		},
		Columns: []kind.Column[policy]{
			kind.Name[policy](),
			{Name: "Mutations", Type: "integer", Description: "Mutation indicates the number of mutations rules defined in this configuration",
				Value: func(p *policy) any { return len(p.Spec.Mutations) }},
			{Name: "ParamKind", Description: "ParamKind specifies the kind of resources used to parameterize this policy",
				Value: func(p *policy) any { return paramKind(p.Spec.ParamKind) }},
			kind.Age[policy](),
		},
	})
}
