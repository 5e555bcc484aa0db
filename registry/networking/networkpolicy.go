// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking

import (
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/stoa-project/stoa/apis/networking"
	"github.com/stoa-project/stoa/registry/kind"
)

// NetworkPolicies returns the kind NetworkPolicy.
func NetworkPolicies() kind.Kind {
	return kind.New(kind.Definition[networking.NetworkPolicy]{
		Kind: "NetworkPolicy", Plural: "networkpolicies", ShortNames: []string{"netpol"},
		Spec:                kind.PartOf(func(n *networking.NetworkPolicy) *networkingv1.NetworkPolicySpec { return &n.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
