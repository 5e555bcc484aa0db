// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import rbacv1 "k8s.io/api/rbac/v1"

// SetDefaults_Subject fills in the only API group that users and groups have.
func SetDefaults_Subject(obj *rbacv1.Subject) {
	if obj.APIGroup == "" && (obj.Kind == rbacv1.UserKind || obj.Kind == rbacv1.GroupKind) {
		obj.APIGroup = rbacv1.GroupName
	}
}

// SetDefaults_RoleRef fills in the only API group that roles have.
func SetDefaults_RoleRef(obj *rbacv1.RoleRef) {
	if obj.APIGroup == "" {
		obj.APIGroup = rbacv1.GroupName
	}
}
