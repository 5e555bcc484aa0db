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

// ValidatingAdmissionPolicyBindings returns the kind ValidatingAdmissionPolicyBinding.
func ValidatingAdmissionPolicyBindings() kind.Kind {
	type binding = admissionregistration.ValidatingAdmissionPolicyBinding
	return kind.New(kind.Definition[binding]{
		Kind: "ValidatingAdmissionPolicyBinding", Plural: "validatingadmissionpolicybindings", Categories: []string{"api-extensions"},
		ClusterScoped: true,
		Spec:          kind.PartOf(func(b *binding) *admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec { return &b.Spec }),
		Strategy: kind.Strategy[binding]{
			Validate: func(_ context.Context, obj *binding) field.ErrorList {
				return validation.ValidateValidatingAdmissionPolicyBinding((*admissionregistrationv1.ValidatingAdmissionPolicyBinding)(obj))
			},
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
