// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking

import (
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/stoa-project/stoa/apis/networking"
	"github.com/stoa-project/stoa/registry/kind"
)

// IngressClasses returns the kind IngressClass.
func IngressClasses() kind.Kind {
	return kind.New(kind.Definition[networking.IngressClass]{
		Kind: "IngressClass", Plural: "ingressclasses",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(i *networking.IngressClass) *networkingv1.IngressClassSpec { return &i.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
