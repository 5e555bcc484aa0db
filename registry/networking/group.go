// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking

import (
	"github.com/stoa-project/stoa/apis/networking"
	networkingv1 "github.com/stoa-project/stoa/apis/networking/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group networking.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    networking.GroupName,
		Install: kind.Types(networkingv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: IngressClasses(), Versions: v1},
			{Kind: Ingresses(), Versions: v1},
			{Kind: IPAddresses(), Versions: v1},
			{Kind: NetworkPolicies(), Versions: v1},
			{Kind: ServiceCIDRs(), Versions: v1},
		},
	}
}
