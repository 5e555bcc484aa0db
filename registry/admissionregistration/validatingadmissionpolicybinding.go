// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/admissionregistration"
	"github.com/stoa-project/stoa/apis/admissionregistration/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// ValidatingAdmissionPolicyBindings returns the kind ValidatingAdmissionPolicyBinding.
func ValidatingAdmissionPolicyBindings() kind.Kind {
	type binding = admissionregistration.ValidatingAdmissionPolicyBinding
	return kind.New(kind.Definition[binding]{
		Kind: "ValidatingAdmissionPolicyBinding", Plural: "validatingadmissionpolicybindings", Categories: []string{"api-extensions"},
		ClusterScoped: true,
		Spec:          kind.PartOf(func(b *binding) *admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec { return &b.Spec }),
		StrategyFor: func(server kind.Server) (kind.Strategy[binding], error) {
			params := newParameters(server)
			kindOf := func(ctx context.Context, name string) (*admissionregistrationv1.ParamKind, error) {
				client, err := params.client()
				if err != nil {
					return nil, err
				}
				found, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(ctx, name, metav1.GetOptions{})
				if err != nil {
					return nil, err
				}
				return found.Spec.ParamKind, nil
			}
			check := func(ctx context.Context, obj, old *binding) field.ErrorList {
				errs := validation.ValidateValidatingAdmissionPolicyBinding((*admissionregistrationv1.ValidatingAdmissionPolicyBinding)(obj))
				before := reference{}
				if old == nil {
					errs = append(errs, notStatic(obj.Name)...)
				} else {
					before = reference{old.Spec.PolicyName, old.Spec.ParamRef}
				}
				if len(errs) > 0 {
					return errs
				}
				return params.mayRefer(ctx, reference{obj.Spec.PolicyName, obj.Spec.ParamRef}, before, "get", kindOf)
			}
			return kind.Strategy[binding]{
				Validate:       func(ctx context.Context, obj *binding) field.ErrorList { return check(ctx, obj, nil) },
				ValidateUpdate: check,
				Warnings:       func(_ context.Context, obj, old *binding) []string { return warnOfStatic(obj.Name, old == nil) },
			}, nil
		},
		Columns: []kind.Column[binding]{
			kind.Name[binding](),
			{Name: "PolicyName", Description: "PolicyName indicates the policy definition which the policy binding binded to",
				Value: func(b *binding) any { return b.Spec.PolicyName }},
			{Name: "ParamRef", Description: "ParamRef indicates the param resource which sets the configration param",
				Value: func(b *binding) any { return paramRef(b.Spec.ParamRef) }},
			kind.Age[binding](),
		},
	})
}

// paramRef says where the parameters of a binding are.
func paramRef(ref *admissionregistrationv1.ParamRef) any {
	switch {
	case ref == nil || ref.Name == "" && ref.Selector == nil:
		return "<unset>"
	case ref.Name == "":
		return ref.Selector.String()
	case ref.Namespace == "":
		return "*/" + ref.Name
	}
	return ref.Namespace + "/" + ref.Name
}
