// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package autoscaling

import (
	"github.com/stoa-project/stoa/apis/autoscaling"
	autoscalingv1 "github.com/stoa-project/stoa/apis/autoscaling/v1"
	autoscalingv2 "github.com/stoa-project/stoa/apis/autoscaling/v2"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group autoscaling.
func Group() kind.Group {
	return kind.Group{
		Name:           autoscaling.GroupName,
		Install:        kind.Types(autoscalingv2.AddToScheme, autoscalingv1.AddToScheme),
		StorageVersion: "v2",
		Resources: []kind.Resource{
			{Kind: HorizontalPodAutoscalers(), Versions: []string{"v2", "v1"}},
		},
	}
}
