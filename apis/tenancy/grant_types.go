// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Grant passes a permission on, for a time.
type Grant struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Spec   GrantSpec
	Status GrantStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// GrantList is a list of grants.
type GrantList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []Grant
}

// GrantSpec says who gets which permission until when.
type GrantSpec struct {
	Subject   rbacv1.Subject
	RoleRef   *rbacv1.RoleRef
	Rules     []rbacv1.PolicyRule
	ExpiresAt *metav1.Time
	Duration  *metav1.Duration
	Reason    string
}

// GrantStatus says whether the permission holds, and on whose word.
type GrantStatus struct {
	Phase              GrantPhase
	GrantedBy          *authenticationv1.UserInfo
	ActivatedAt        *metav1.Time
	ExpiresAt          *metav1.Time
	ObservedGeneration int64
	Conditions         []metav1.Condition
}

// GrantPhase is the state of a grant in one word.
type GrantPhase string

const (
	// GrantPending means that the grant was not looked at yet.
	GrantPending GrantPhase = "Pending"
	// GrantActive means that the permission holds.
	GrantActive GrantPhase = "Active"
	// GrantExpired means that the time of the grant is over.
	GrantExpired GrantPhase = "Expired"
	// GrantRefused means that the grantor did not hold the permission.
	GrantRefused GrantPhase = "Refused"
)
