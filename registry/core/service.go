// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/core/service"
	"github.com/stoa-project/stoa/registry/kind"
)

// Services returns the kind Service. The server attaches to its store what gives
// services their addresses and ports: see package service.
func Services() kind.Kind {
	return kind.New(kind.Definition[core.Service]{
		Kind: "Service", Plural: "services", ShortNames: []string{"svc"}, Categories: []string{"all"},
		Prefix:              "services/specs", // as in Kubernetes, here and in the next seven
		Spec:                kind.PartOf(func(s *core.Service) *corev1.ServiceSpec { return &s.Spec }),
		Status:              kind.PartOf(func(s *core.Service) *corev1.ServiceStatus { return &s.Status }),
		StatusMetadata:      true,
		NoGeneration:        true,
		CreateOnUpdate:      true,
		UnconditionalUpdate: true,
		ReturnsDeleted:      true,
		Strategy: kind.Strategy[core.Service]{
			ValidateName: validation.ValidateServiceName,
			Prepare: func(_ context.Context, obj, old *core.Service) {
				if old != nil {
					service.DropUnused((*corev1.Service)(obj), (*corev1.Service)(old))
				}
			},
			Validate: func(_ context.Context, obj *core.Service) field.ErrorList {
				return validation.ValidateService((*corev1.Service)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.Service) field.ErrorList {
				return validation.ValidateServiceUpdate((*corev1.Service)(obj), (*corev1.Service)(old))
			},
			ValidateStatus: func(_ context.Context, obj, old *core.Service) field.ErrorList {
				return validation.ValidateServiceStatus((*corev1.Service)(obj), (*corev1.Service)(old))
			},
			Warnings: func(_ context.Context, obj, _ *core.Service) []string {
				return validation.WarningsOnService((*corev1.Service)(obj))
			},
		},
		Columns: []kind.Column[core.Service]{
			kind.Name[core.Service](),
			{Name: "Type", Description: corev1.ServiceSpec{}.SwaggerDoc()["type"],
				Value: func(s *core.Service) any { return string(s.Spec.Type) }},
			{Name: "Cluster-IP", Description: corev1.ServiceSpec{}.SwaggerDoc()["clusterIP"],
				Value: func(s *core.Service) any {
					if len(s.Spec.ClusterIPs) > 0 {
						return s.Spec.ClusterIPs[0]
					}
					return "<none>"
				}},
			{Name: "External-IP", Description: corev1.ServiceSpec{}.SwaggerDoc()["externalIPs"],
				Value: func(s *core.Service) any { return externalIPs(s) }},
			{Name: "Port(s)", Description: corev1.ServiceSpec{}.SwaggerDoc()["ports"],
				Value: func(s *core.Service) any { return servicePorts(s.Spec.Ports) }},
			kind.Age[core.Service](),
			{Name: "Selector", Wide: true, Description: corev1.ServiceSpec{}.SwaggerDoc()["selector"],
				Value: func(s *core.Service) any { return labels.FormatLabels(s.Spec.Selector) }},
		},
		Fields: []kind.Field[core.Service]{
			{Path: "spec.clusterIP", Value: func(s *core.Service) string { return s.Spec.ClusterIP }},
			{Path: "spec.type", Value: func(s *core.Service) string { return string(s.Spec.Type) }},
		},
	})
}

func externalIPs(s *core.Service) string {
	all := s.Spec.ExternalIPs
	switch s.Spec.Type {
	case corev1.ServiceTypeExternalName:
		return s.Spec.ExternalName
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort:
		if len(all) == 0 {
			return "<none>"
		}
	case corev1.ServiceTypeLoadBalancer:
		set := map[string]bool{}
		for _, in := range s.Status.LoadBalancer.Ingress {
			if in.IP != "" {
				set[in.IP] = true
			} else if in.Hostname != "" {
				set[in.Hostname] = true
			}
		}
		if all = slices.Concat(slices.Sorted(maps.Keys(set)), all); len(all) == 0 {
			return "<pending>"
		}
	default:
		return "<unknown>"
	}
	return strings.Join(all, ",")
}

func servicePorts(ports []corev1.ServicePort) string {
	all := make([]string, len(ports))
	for i, p := range ports {
		if all[i] = fmt.Sprintf("%d/%s", p.Port, p.Protocol); p.NodePort > 0 {
			all[i] = fmt.Sprintf("%d:%d/%s", p.Port, p.NodePort, p.Protocol)
		}
	}
	if len(all) == 0 {
		return "<none>"
	}
	return strings.Join(all, ",")
}
