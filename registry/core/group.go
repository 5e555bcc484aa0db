// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"k8s.io/apiserver/pkg/registry/rest"

	authenticationv1 "github.com/stoa-project/stoa/apis/authentication/v1"
	"github.com/stoa-project/stoa/apis/core"
	corev1 "github.com/stoa-project/stoa/apis/core/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group core.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name: core.GroupName,
		// A token is asked for in the form of another group.
		Install: kind.Types(corev1.AddToScheme, authenticationv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: ComponentStatuses(), Versions: v1},
			{Kind: ConfigMaps(), Versions: v1},
			{Kind: Endpoints(), Versions: v1},
			{Kind: Events(), Versions: v1},
			{Kind: LimitRanges(), Versions: v1},
			{Kind: Namespaces(), Versions: v1},
			{Kind: Nodes(), Versions: v1},
			{Kind: PersistentVolumeClaims(), Versions: v1},
			{Kind: PersistentVolumes(), Versions: v1},
			{Kind: Pods(), Versions: v1},
			{Kind: PodTemplates(), Versions: v1},
			{Kind: ReplicationControllers(), Versions: v1},
			{Kind: ResourceQuotas(), Versions: v1},
			{Kind: Secrets(), Versions: v1},
			{Kind: ServiceAccounts(), Versions: v1},
			{Kind: Services(), Versions: v1},
		},
		Join: func(server kind.Server, paths map[string]rest.Storage) error {
			joinTokens(server, paths)
			return joinPods(server, paths)
		},
	}
}
