// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/networking"
	"github.com/stoa-project/stoa/apis/networking/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// NetworkPolicies returns the kind NetworkPolicy.
func NetworkPolicies() kind.Kind {
	return kind.New(kind.Definition[networking.NetworkPolicy]{
		Kind: "NetworkPolicy", Plural: "networkpolicies", ShortNames: []string{"netpol"},
		Spec:                kind.PartOf(func(p *networking.NetworkPolicy) *networkingv1.NetworkPolicySpec { return &p.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
		Strategy: kind.Strategy[networking.NetworkPolicy]{
			Validate: func(_ context.Context, obj *networking.NetworkPolicy) field.ErrorList {
				return validation.ValidateNetworkPolicy((*networkingv1.NetworkPolicy)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *networking.NetworkPolicy) field.ErrorList {
				return validation.ValidateNetworkPolicyUpdate((*networkingv1.NetworkPolicy)(obj), (*networkingv1.NetworkPolicy)(old))
			},
			Warnings: func(_ context.Context, obj, _ *networking.NetworkPolicy) []string { return policyWarnings(obj) },
		},
		Columns: []kind.Column[networking.NetworkPolicy]{
			kind.Name[networking.NetworkPolicy](),
			{Name: "Pod-Selector", Description: networkingv1.NetworkPolicySpec{}.SwaggerDoc()["podSelector"],
				Value: func(p *networking.NetworkPolicy) any { return metav1.FormatLabelSelector(&p.Spec.PodSelector) }},
			kind.Age[networking.NetworkPolicy](),
		},
	})
}

// policyWarnings names the ranges that should be written in another way.
func policyWarnings(obj *networking.NetworkPolicy) []string {
	var warnings []string
	peers := func(path *field.Path, peers []networkingv1.NetworkPolicyPeer) {
		for i, peer := range peers {
			if peer.IPBlock == nil {
				continue
			}
			path := path.Index(i).Child("ipBlock")
			warnings = append(warnings, utilvalidation.GetWarningsForCIDR(path.Child("cidr"), peer.IPBlock.CIDR)...)
			for j, except := range peer.IPBlock.Except {
				warnings = append(warnings, utilvalidation.GetWarningsForCIDR(path.Child("except").Index(j), except)...)
			}
		}
	}
	for i, rule := range obj.Spec.Ingress {
		peers(field.NewPath("spec", "ingress").Index(i).Child("from"), rule.From)
	}
	for i, rule := range obj.Spec.Egress {
		peers(field.NewPath("spec", "egress").Index(i).Child("to"), rule.To)
	}
	return warnings
}
