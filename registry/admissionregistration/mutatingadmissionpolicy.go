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
		StrategyFor: func(server kind.Server) (kind.Strategy[policy], error) {
			params := newParameters(server)
			return kind.Strategy[policy]{
				Validate: func(ctx context.Context, obj *policy) field.ErrorList {
					errs := append(validation.ValidateMutatingAdmissionPolicy((*admissionregistrationv1.MutatingAdmissionPolicy)(obj)), notStatic(obj.Name)...)
					if len(errs) > 0 {
						return errs
					}
					return params.mayUse(ctx, obj.Spec.ParamKind, nil)
				},
				ValidateUpdate: func(ctx context.Context, obj, old *policy) field.ErrorList {
					errs := validation.ValidateMutatingAdmissionPolicyUpdate((*admissionregistrationv1.MutatingAdmissionPolicy)(obj), (*admissionregistrationv1.MutatingAdmissionPolicy)(old))
					if len(errs) > 0 {
						return errs
					}
					return params.mayUse(ctx, obj.Spec.ParamKind, old.Spec.ParamKind)
				},
				Warnings: func(_ context.Context, obj, old *policy) []string { return warnOfStatic(obj.Name, old == nil) },
			}, nil
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
