// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import rbacv1 "k8s.io/api/rbac/v1"

// SetDefaults_RoleRef fills the group of the role.
func SetDefaults_RoleRef(obj *rbacv1.RoleRef) { defaultGroup(&obj.APIGroup) }

// SetDefaults_Subject fills the group of users and user groups; that of service
// accounts is the core group.
func SetDefaults_Subject(obj *rbacv1.Subject) {
	if obj.Kind == rbacv1.UserKind || obj.Kind == rbacv1.GroupKind {
		defaultGroup(&obj.APIGroup)
	}
}

func defaultGroup(group *string) {
	if *group == "" {
		*group = rbacv1.GroupName
	}
}
