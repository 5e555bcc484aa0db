// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking

import (
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/stoa-project/stoa/apis/networking"
	"github.com/stoa-project/stoa/registry/kind"
)

// Ingresses returns the kind Ingress.
func Ingresses() kind.Kind {
	return kind.New(kind.Definition[networking.Ingress]{
		Kind: "Ingress", Plural: "ingresses", ShortNames: []string{"ing"},
		Prefix:              "ingress", // as in Kubernetes
		Spec:                kind.PartOf(func(i *networking.Ingress) *networkingv1.IngressSpec { return &i.Spec }),
		Status:              kind.PartOf(func(i *networking.Ingress) *networkingv1.IngressStatus { return &i.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
