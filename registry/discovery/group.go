// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"github.com/stoa-project/stoa/apis/discovery"
	discoveryv1 "github.com/stoa-project/stoa/apis/discovery/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group discovery.k8s.io.
func Group() kind.Group {
	return kind.Group{
		Name:      discovery.GroupName,
		Install:   kind.Types(discoveryv1.AddToScheme),
		Resources: []kind.Resource{{Kind: EndpointSlices(), Versions: []string{"v1"}}},
	}
}
