// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/networking"
	"github.com/stoa-project/stoa/apis/networking/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// shownHosts is how many hosts a cell names.
const shownHosts = 3

// Ingresses returns the kind Ingress.
func Ingresses() kind.Kind {
	return kind.New(kind.Definition[networking.Ingress]{
		Kind: "Ingress", Plural: "ingresses", ShortNames: []string{"ing"}, Prefix: "ingress",
		Spec:                kind.PartOf(func(i *networking.Ingress) *networkingv1.IngressSpec { return &i.Spec }),
		Status:              kind.PartOf(func(i *networking.Ingress) *networkingv1.IngressStatus { return &i.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[networking.Ingress]{
			Validate: func(_ context.Context, obj *networking.Ingress) field.ErrorList {
				return validation.ValidateIngress((*networkingv1.Ingress)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *networking.Ingress) field.ErrorList {
				return validation.ValidateIngressUpdate((*networkingv1.Ingress)(obj), (*networkingv1.Ingress)(old))
			},
			ValidateStatus: func(_ context.Context, obj, old *networking.Ingress) field.ErrorList {
				return validation.ValidateIngressStatus((*networkingv1.Ingress)(obj), (*networkingv1.Ingress)(old))
			},
			Warnings: func(_ context.Context, obj, old *networking.Ingress) []string {
				if _, set := obj.Annotations[validation.AnnotationIngressClass]; set && old == nil && obj.Spec.IngressClassName == nil {
					return []string{fmt.Sprintf("annotation %q is deprecated, please use 'spec.ingressClassName' instead", validation.AnnotationIngressClass)}
				}
				return nil
			},
		},
		Columns: []kind.Column[networking.Ingress]{
			kind.Name[networking.Ingress](),
			{Name: "Class", Description: "The name of the IngressClass resource that should be used for additional configuration",
				Value: func(i *networking.Ingress) any {
					if i.Spec.IngressClassName == nil {
						return "<none>"
					}
					return *i.Spec.IngressClassName
				}},
			{Name: "Hosts", Description: "Hosts that incoming requests are matched against before the ingress rule",
				Value: func(i *networking.Ingress) any { return hosts(i.Spec.Rules) }},
			{Name: "Address", Description: "Address is a list containing ingress points for the load-balancer",
				Value: func(i *networking.Ingress) any { return addresses(i.Status.LoadBalancer.Ingress) }},
			{Name: "Ports", Description: "Ports of TLS configurations that open",
				Value: func(i *networking.Ingress) any {
					if len(i.Spec.TLS) > 0 {
						return "80, 443"
					}
					return "80"
				}},
			kind.Age[networking.Ingress](),
		},
	})
}

func hosts(rules []networkingv1.IngressRule) string {
	var shown []string
	more := ""
	for _, rule := range rules {
		if len(shown) == shownHosts {
			more = fmt.Sprintf(" + %d more...", len(rules)-shownHosts)
			break
		}
		if rule.Host != "" {
			shown = append(shown, rule.Host)
		}
	}
	if len(shown) == 0 {
		return "*"
	}
	return strings.Join(shown, ",") + more
}

// addresses are those of a load balancer, each once, in order.
func addresses(ingress []networkingv1.IngressLoadBalancerIngress) string {
	set := map[string]bool{}
	for _, in := range ingress {
		if in.IP != "" {
			set[in.IP] = true
		} else if in.Hostname != "" {
			set[in.Hostname] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), ",")
}
