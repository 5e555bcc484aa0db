// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking

import (
	"context"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/networking"
	"github.com/stoa-project/stoa/apis/networking/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// ServiceCIDRs returns the kind ServiceCIDR.
func ServiceCIDRs() kind.Kind {
	return kind.New(kind.Definition[networking.ServiceCIDR]{
		Kind: "ServiceCIDR", Plural: "servicecidrs", ClusterScoped: true,
		Status:              kind.PartOf(func(c *networking.ServiceCIDR) *networkingv1.ServiceCIDRStatus { return &c.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[networking.ServiceCIDR]{
			Validate: func(_ context.Context, obj *networking.ServiceCIDR) field.ErrorList {
				return validation.ValidateServiceCIDR((*networkingv1.ServiceCIDR)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *networking.ServiceCIDR) field.ErrorList {
				return validation.ValidateServiceCIDRUpdate((*networkingv1.ServiceCIDR)(obj), (*networkingv1.ServiceCIDR)(old))
			},
		},
		Columns: []kind.Column[networking.ServiceCIDR]{
			kind.Name[networking.ServiceCIDR](),
			{Name: "CIDRs", Description: networkingv1.ServiceCIDRSpec{}.SwaggerDoc()["cidrs"],
				Value: func(c *networking.ServiceCIDR) any { return strings.Join(c.Spec.CIDRs, ",") }},
			kind.Age[networking.ServiceCIDR](),
		},
	})
}
