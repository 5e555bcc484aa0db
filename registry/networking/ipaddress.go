// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking

import (
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/stoa-project/stoa/apis/networking"
	"github.com/stoa-project/stoa/registry/kind"
)

// IPAddresses returns the kind IPAddress.
func IPAddresses() kind.Kind {
	return kind.New(kind.Definition[networking.IPAddress]{
		Kind: "IPAddress", Plural: "ipaddresses", ShortNames: []string{"ip"},
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(i *networking.IPAddress) *networkingv1.IPAddressSpec { return &i.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
