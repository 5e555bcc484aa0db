// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// shownEndpoints is how many endpoints a cell names.
const shownEndpoints = 3

// Endpoints returns the kind Endpoints.
func Endpoints() kind.Kind {
	return kind.New(kind.Definition[core.Endpoints]{
		Kind: "Endpoints", Plural: "endpoints", ShortNames: []string{"ep"},
		Prefix:              "services/endpoints", // as in Kubernetes, here and in the next two
		CreateOnUpdate:      true,
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[core.Endpoints]{
			Validate: func(_ context.Context, obj *core.Endpoints) field.ErrorList {
				return validation.ValidateEndpoints((*corev1.Endpoints)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.Endpoints) field.ErrorList {
				return validation.ValidateEndpointsUpdate((*corev1.Endpoints)(obj), (*corev1.Endpoints)(old))
			},
			Warnings: func(_ context.Context, obj, _ *core.Endpoints) []string {
				return validation.WarningsOnEndpoints((*corev1.Endpoints)(obj))
			},
		},
		Columns: []kind.Column[core.Endpoints]{
			kind.Name[core.Endpoints](),
			{Name: "Endpoints", Description: corev1.Endpoints{}.SwaggerDoc()["subsets"],
				Value: func(e *core.Endpoints) any { return endpoints(e.Subsets) }},
			kind.Age[core.Endpoints](),
		},
	})
}

func endpoints(subsets []corev1.EndpointSubset) string {
	var all []string
	for _, s := range subsets {
		if len(s.Ports) == 0 { // of a headless service
			for _, a := range s.Addresses {
				all = append(all, a.IP)
			}
		}
		for _, p := range s.Ports {
			for _, a := range s.Addresses {
				all = append(all, net.JoinHostPort(a.IP, strconv.Itoa(int(p.Port))))
			}
		}
	}
	switch {
	case len(all) == 0:
		return "<none>"
	case len(all) > shownEndpoints:
		return fmt.Sprintf("%s + %d more...", strings.Join(all[:shownEndpoints], ","), len(all)-shownEndpoints)
	}
	return strings.Join(all, ",")
}
