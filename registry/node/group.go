// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"github.com/stoa-project/stoa/apis/node"
	nodev1 "github.com/stoa-project/stoa/apis/node/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group node.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    node.GroupName,
		Install: kind.Types(nodev1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: RuntimeClasses(), Versions: v1},
		},
	}
}
