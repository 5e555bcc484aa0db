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
	return kind.Group{
		Name:    resource.GroupName,
		Install: kind.Types(resourcev1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: deviceClasses(), Versions: v1},
			{Kind: deviceTaintRules(), Versions: v1},
			{Kind: resourceClaims(), Versions: v1},
			{Kind: resourceClaimTemplates(), Versions: v1},
			{Kind: resourceSlices(), Versions: v1},
		},
	}
}
