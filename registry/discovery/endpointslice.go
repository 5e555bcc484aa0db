// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/discovery"
	"github.com/stoa-project/stoa/apis/discovery/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// shown is how many ports or addresses a cell names.
const shown = 3

// EndpointSlices returns the kind EndpointSlice. It has no spec: everything but
// annotations and the like is what consumers act on.
func EndpointSlices() kind.Kind {
	return kind.New(kind.Definition[discovery.EndpointSlice]{
		Kind: "EndpointSlice", Plural: "endpointslices",
		Spec:                kind.PartOf(func(s *discovery.EndpointSlice) *[]discoveryv1.Endpoint { return &s.Endpoints }),
		UnconditionalUpdate: true, // as in Kubernetes
		Strategy: kind.Strategy[discovery.EndpointSlice]{
			SpecChanged: func(obj, old *discovery.EndpointSlice) bool {
				return obj.AddressType != old.AddressType || !maps.Equal(obj.Labels, old.Labels) ||
					!apiequality.Semantic.DeepEqual(obj.Endpoints, old.Endpoints) || !apiequality.Semantic.DeepEqual(obj.Ports, old.Ports)
			},
			Prepare: dropTopology,
			Validate: func(_ context.Context, obj *discovery.EndpointSlice) field.ErrorList {
				return validation.ValidateEndpointSlice((*discoveryv1.EndpointSlice)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *discovery.EndpointSlice) field.ErrorList {
				return validation.ValidateEndpointSliceUpdate((*discoveryv1.EndpointSlice)(obj), (*discoveryv1.EndpointSlice)(old))
			},
			Warnings: warnings,
		},
		Columns: []kind.Column[discovery.EndpointSlice]{
			kind.Name[discovery.EndpointSlice](),
			{Name: "AddressType", Description: discoveryv1.EndpointSlice{}.SwaggerDoc()["addressType"],
				Value: func(s *discovery.EndpointSlice) any { return string(s.AddressType) }},
			{Name: "Ports", Description: discoveryv1.EndpointSlice{}.SwaggerDoc()["ports"],
				Value: func(s *discovery.EndpointSlice) any { return ports(s.Ports) }},
			{Name: "Endpoints", Description: discoveryv1.EndpointSlice{}.SwaggerDoc()["endpoints"],
				Value: func(s *discovery.EndpointSlice) any {
					var addresses []string
					for _, e := range s.Endpoints {
						addresses = append(addresses, e.Addresses...)
					}
					return summary(addresses)
				}},
			kind.Age[discovery.EndpointSlice](),
		},
	})
}

// dropTopology clears the labels that v1 has only to read what v1beta1 wrote. A node
// that was named by one, and is still, moves to the field that took its place.
func dropTopology(_ context.Context, obj, old *discovery.EndpointSlice) {
	nodes := map[string]bool{}
	if old != nil {
		if apiequality.Semantic.DeepEqual(obj.Endpoints, old.Endpoints) {
			return
		}
		for _, e := range old.Endpoints {
			nodes[e.DeprecatedTopology[corev1.LabelHostname]] = true
		}
	}
	for i := range obj.Endpoints {
		e := &obj.Endpoints[i]
		if node, set := e.DeprecatedTopology[corev1.LabelHostname]; set && e.NodeName == nil && nodes[node] && len(apivalidation.NameIsDNSSubdomain(node, false)) == 0 {
			e.NodeName = &node
		}
		e.DeprecatedTopology = nil
	}
}

func warnings(_ context.Context, obj, old *discovery.EndpointSlice) []string {
	var out []string
	if old == nil && obj.AddressType == discoveryv1.AddressTypeFQDN {
		out = append(out, "spec.addressType: FQDN endpoints are deprecated")
	}
	switch obj.Labels[discoveryv1.LabelManagedBy] {
	case "endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io":
		return out // they write addresses well
	}
	if obj.AddressType == discoveryv1.AddressTypeFQDN {
		return out
	}
	for i, e := range obj.Endpoints {
		for j, address := range e.Addresses {
			out = append(out, utilvalidation.GetWarningsForIP(field.NewPath("endpoints").Index(i).Child("addresses").Index(j), address)...)
		}
	}
	return out
}

func ports(all []discoveryv1.EndpointPort) string {
	names := make([]string, len(all))
	for i, p := range all {
		switch {
		case p.Port != nil:
			names[i] = strconv.Itoa(int(*p.Port))
		case p.Name != nil:
			names[i] = *p.Name
		default:
			names[i] = "*"
		}
	}
	return summary(names)
}

func summary(all []string) string {
	if len(all) > shown {
		return fmt.Sprintf("%s + %d more...", strings.Join(all[:shown], ","), len(all)-shown)
	}
	if text := strings.Join(all, ","); text != "" {
		return text
	}
	return "<unset>"
}
