// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// Services returns the kind Service.
func Services() kind.Kind {
	return kind.New(kind.Definition[core.Service]{
		Kind: "Service", Plural: "services", ShortNames: []string{"svc"}, Categories: []string{"all"},
		Prefix:              "services/specs", // as in Kubernetes
		Spec:                kind.PartOf(func(s *core.Service) *corev1.ServiceSpec { return &s.Spec }),
		Status:              kind.PartOf(func(s *core.Service) *corev1.ServiceStatus { return &s.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
