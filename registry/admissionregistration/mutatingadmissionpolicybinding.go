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

// MutatingAdmissionPolicyBindings returns the kind MutatingAdmissionPolicyBinding.
func MutatingAdmissionPolicyBindings() kind.Kind {
	type binding = admissionregistration.MutatingAdmissionPolicyBinding
	return kind.New(kind.Definition[binding]{
		Kind: "MutatingAdmissionPolicyBinding", Plural: "mutatingadmissionpolicybindings", Categories: []string{"api-extensions"},
		ClusterScoped: true,
		Spec:          kind.PartOf(func(b *binding) *admissionregistrationv1.MutatingAdmissionPolicyBindingSpec { return &b.Spec }),
		StrategyFor: func(server kind.Server) (kind.Strategy[binding], error) {
			params := newParameters(server)
			kindOf := func(ctx context.Context, name string) (*admissionregistrationv1.ParamKind, error) {
				client, err := params.client()
				if err != nil {
					return nil, err
				}
				found, err := client.AdmissionregistrationV1().MutatingAdmissionPolicies().Get(ctx, name, metav1.GetOptions{})
				if err != nil {
					return nil, err
				}
				return found.Spec.ParamKind, nil
			}
			check := func(ctx context.Context, obj, old *binding) field.ErrorList {
				errs := validation.ValidateMutatingAdmissionPolicyBinding((*admissionregistrationv1.MutatingAdmissionPolicyBinding)(obj))
				before := reference{}
				if old == nil {
					errs = append(errs, notStatic(obj.Name)...)
				} else {
					before = reference{old.Spec.PolicyName, old.Spec.ParamRef}
				}
				if len(errs) > 0 {
					return errs
				}
				return params.mayRefer(ctx, reference{obj.Spec.PolicyName, obj.Spec.ParamRef}, before, verbFor(obj.Spec.ParamRef), kindOf)
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

// verbFor is what somebody must be allowed to do with parameters: to get one, or to list
// those that are selected.
func verbFor(ref *admissionregistrationv1.ParamRef) string {
	if ref != nil && ref.Name == "" {
		return "list"
	}
	return "get"
}
