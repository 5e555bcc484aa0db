// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes"

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
		StrategyFor: bindingRules[binding]{
			validate: func(b *binding) field.ErrorList {
				return validation.ValidateValidatingAdmissionPolicyBinding((*admissionregistrationv1.ValidatingAdmissionPolicyBinding)(b))
			},
			refers: func(b *binding) (string, reference) { return b.Name, reference{b.Spec.PolicyName, b.Spec.ParamRef} },
			verb:   func(*admissionregistrationv1.ParamRef) string { return "get" },
			kindOf: func(ctx context.Context, client kubernetes.Interface, policy string) (*admissionregistrationv1.ParamKind, error) {
				found, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(ctx, policy, metav1.GetOptions{})
				if err != nil {
					return nil, err
				}
				return found.Spec.ParamKind, nil
			},
		}.strategyFor,
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
