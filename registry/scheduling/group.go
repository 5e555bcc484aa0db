// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package scheduling

import (
	"github.com/stoa-project/stoa/apis/scheduling"
	schedulingv1 "github.com/stoa-project/stoa/apis/scheduling/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group scheduling.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    scheduling.GroupName,
		Install: kind.Types(schedulingv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: PriorityClasses(), Versions: v1},
		},
	}
}
