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

// ValidatingAdmissionPolicies returns the kind ValidatingAdmissionPolicy.
func ValidatingAdmissionPolicies() kind.Kind {
	type policy = admissionregistration.ValidatingAdmissionPolicy
	return kind.New(kind.Definition[policy]{
		Kind: "ValidatingAdmissionPolicy", Plural: "validatingadmissionpolicies", Categories: []string{"api-extensions"},
		ClusterScoped: true,
		Spec:          kind.PartOf(func(p *policy) *admissionregistrationv1.ValidatingAdmissionPolicySpec { return &p.Spec }),
		Status:        kind.PartOf(func(p *policy) *admissionregistrationv1.ValidatingAdmissionPolicyStatus { return &p.Status }),
		StrategyFor: func(server kind.Server) (kind.Strategy[policy], error) {
			params := newParameters(server)
			return kind.Strategy[policy]{
				Validate: func(ctx context.Context, obj *policy) field.ErrorList {
					errs := append(validation.ValidateValidatingAdmissionPolicy((*admissionregistrationv1.ValidatingAdmissionPolicy)(obj)), notStatic(obj.Name)...)
					if len(errs) > 0 {
						return errs
					}
					return params.mayUse(ctx, obj.Spec.ParamKind, nil)
				},
				ValidateUpdate: func(ctx context.Context, obj, old *policy) field.ErrorList {
					errs := validation.ValidateValidatingAdmissionPolicyUpdate((*admissionregistrationv1.ValidatingAdmissionPolicy)(obj), (*admissionregistrationv1.ValidatingAdmissionPolicy)(old))
					if len(errs) > 0 {
						return errs
					}
					return params.mayUse(ctx, obj.Spec.ParamKind, old.Spec.ParamKind)
				},
				ValidateStatus: func(_ context.Context, obj, _ *policy) field.ErrorList {
					return validation.ValidateValidatingAdmissionPolicyStatus((*admissionregistrationv1.ValidatingAdmissionPolicy)(obj))
				},
				Warnings: func(_ context.Context, obj, old *policy) []string { return warnOfStatic(obj.Name, old == nil) },
			}, nil
		},
		Columns: []kind.Column[policy]{
			kind.Name[policy](),
			{Name: "Validations", Type: "integer", Description: "Validations indicates the number of validation rules defined in this configuration",
				Value: func(p *policy) any { return len(p.Spec.Validations) }},
			{Name: "ParamKind", Description: "ParamKind specifies the kind of resources used to parameterize this policy",
				Value: func(p *policy) any { return paramKind(p.Spec.ParamKind) }},
			kind.Age[policy](),
		},
	})
}

// paramKind says what the parameters of a policy are.
func paramKind(k *admissionregistrationv1.ParamKind) any {
	if k == nil {
		return "<unset>"
	}
	return k.APIVersion + "/" + k.Kind
}
