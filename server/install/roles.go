// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// roles give the cluster's users what the default roles of a server that stands alone
// give them: who may edit a namespace makes grants there, who administers it manages its
// project, and everybody asks for the projects that he sees.
func (o Options) roles() []runtime.Object {
	aggregated := func(name, into, resource string, verbs ...string) runtime.Object {
		role := o.clusterRole(name, resource, verbs)
		role.Labels["rbac.authorization.k8s.io/aggregate-to-"+into] = "true"
		return role
	}
	const users = "stoa:aggregated-project-user"
	return []runtime.Object{
		aggregated("stoa:aggregated-grants-to-edit", "edit", "grants", "create", "delete", "deletecollection", "patch", "update"),
		aggregated("stoa:aggregated-grants-to-view", "view", "grants", "get", "list", "watch"),
		aggregated("stoa:aggregated-projects-to-admin", "admin", "projects", "manage"),
		o.clusterRole(users, "projects", []string{"delete", "get", "list", "patch", "update", "watch"}),
		&rbacv1.ClusterRoleBinding{
			TypeMeta: kind(rbacv1.GroupName, "ClusterRoleBinding"), ObjectMeta: o.meta("", users),
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: users},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: user.AllAuthenticated}},
		},
	}
}

func (o Options) clusterRole(name, resource string, verbs []string) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		TypeMeta: kind(rbacv1.GroupName, "ClusterRole"), ObjectMeta: o.meta("", name),
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{tenancy.GroupName}, Resources: []string{resource}, Verbs: verbs}},
	}
}
