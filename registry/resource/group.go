// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"github.com/stoa-project/stoa/apis/resource"
	resourcev1 "github.com/stoa-project/stoa/apis/resource/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group resource.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	admins := &administrators{}
	return kind.Group{
		Name:    resource.GroupName,
		Install: kind.Types(resourcev1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: DeviceClasses(), Versions: v1},
			{Kind: DeviceTaintRules(), Versions: v1},
			{Kind: ResourceClaims(admins), Versions: v1},
			{Kind: ResourceClaimTemplates(admins), Versions: v1},
			{Kind: ResourceSlices(), Versions: v1},
		},
		Join: admins.join,
	}
}
