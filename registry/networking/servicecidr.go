// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking

import (
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/stoa-project/stoa/apis/networking"
	"github.com/stoa-project/stoa/registry/kind"
)

// ServiceCIDRs returns the kind ServiceCIDR.
func ServiceCIDRs() kind.Kind {
	return kind.New(kind.Definition[networking.ServiceCIDR]{
		Kind: "ServiceCIDR", Plural: "servicecidrs",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(s *networking.ServiceCIDR) *networkingv1.ServiceCIDRSpec { return &s.Spec }),
		Status:              kind.PartOf(func(s *networking.ServiceCIDR) *networkingv1.ServiceCIDRStatus { return &s.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
