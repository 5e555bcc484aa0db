// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package flowcontrol

import (
	"github.com/stoa-project/stoa/apis/flowcontrol"
	flowcontrolv1 "github.com/stoa-project/stoa/apis/flowcontrol/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group flowcontrol.apiserver.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    flowcontrol.GroupName,
		Install: kind.Types(flowcontrolv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: FlowSchemas(), Versions: v1},
			{Kind: PriorityLevelConfigurations(), Versions: v1},
		},
	}
}
