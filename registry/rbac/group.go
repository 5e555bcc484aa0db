// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"github.com/stoa-project/stoa/apis/rbac"
	rbacv1 "github.com/stoa-project/stoa/apis/rbac/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group rbac.authorization.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    rbac.GroupName,
		Install: kind.Types(rbacv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: ClusterRoleBindings(), Versions: v1},
			{Kind: ClusterRoles(), Versions: v1},
			{Kind: RoleBindings(), Versions: v1},
			{Kind: Roles(), Versions: v1},
		},
	}
}
