// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/networking"
	"github.com/stoa-project/stoa/apis/networking/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// IngressClasses returns the kind IngressClass.
func IngressClasses() kind.Kind {
	return kind.New(kind.Definition[networking.IngressClass]{
		Kind: "IngressClass", Plural: "ingressclasses", ClusterScoped: true,
		Spec:                kind.PartOf(func(c *networking.IngressClass) *networkingv1.IngressClassSpec { return &c.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
		Strategy: kind.Strategy[networking.IngressClass]{
			Validate: func(_ context.Context, obj *networking.IngressClass) field.ErrorList {
				return validation.ValidateIngressClass((*networkingv1.IngressClass)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *networking.IngressClass) field.ErrorList {
				return validation.ValidateIngressClassUpdate((*networkingv1.IngressClass)(obj), (*networkingv1.IngressClass)(old))
			},
		},
		Columns: []kind.Column[networking.IngressClass]{
			kind.Name[networking.IngressClass](),
			{Name: "Controller", Description: "Controller that is responsible for handling this class",
				Value: func(c *networking.IngressClass) any { return c.Spec.Controller }},
			{Name: "Parameters", Description: "A reference to a resource with additional parameters",
				Value: func(c *networking.IngressClass) any { return parameters(c.Spec.Parameters) }},
			kind.Age[networking.IngressClass](),
		},
	})
}

func parameters(ref *networkingv1.IngressClassParametersReference) string {
	if ref == nil {
		return "<none>"
	}
	name := ref.Kind
	if ref.APIGroup != nil {
		name += "." + *ref.APIGroup
	}
	return name + "/" + ref.Name
}
