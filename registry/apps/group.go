// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"github.com/stoa-project/stoa/apis/apps"
	appsv1 "github.com/stoa-project/stoa/apis/apps/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group apps.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    apps.GroupName,
		Install: kind.Types(appsv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: ControllerRevisions(), Versions: v1},
			{Kind: DaemonSets(), Versions: v1},
			{Kind: Deployments(), Versions: v1},
			{Kind: ReplicaSets(), Versions: v1},
			{Kind: StatefulSets(), Versions: v1},
		},
	}
}
