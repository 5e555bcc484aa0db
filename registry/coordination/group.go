// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package coordination

import (
	"github.com/stoa-project/stoa/apis/coordination"
	coordinationv1 "github.com/stoa-project/stoa/apis/coordination/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group coordination.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    coordination.GroupName,
		Install: kind.Types(coordinationv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: Leases(), Versions: v1},
		},
	}
}
