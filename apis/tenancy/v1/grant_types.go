// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:prerelease-lifecycle-gen:introduced=1.37
// +k8s:supportsSubresource="/status"

// Grant passes a permission on: whoever holds a permission in a namespace may
// give it to somebody else there, for a time. A grant never gives more than the
// one who made it holds. Deleting a grant takes the permission back at once.
type Grant struct {
	metav1.TypeMeta `json:",inline"`

	// Standard object's metadata.
	// More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec says who gets which permission until when.
	// +required
	Spec GrantSpec `json:"spec"`

	// status says whether the permission holds, and on whose word. Written by
	// the system, read-only.
	// +optional
	Status GrantStatus `json:"status,omitempty,omitzero"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:prerelease-lifecycle-gen:introduced=1.37

// GrantList is a list of grants.
type GrantList struct {
	metav1.TypeMeta `json:",inline"`

	// Standard list metadata.
	// More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// items is the list of grants.
	Items []Grant `json:"items"`
}

// GrantSpec says who gets which permission until when.
type GrantSpec struct {
	// subject is the user, group or service account that gets the permission.
	// Cannot be changed.
	// +required
	// +k8s:immutable
	// +k8s:opaqueType
	Subject rbacv1.Subject `json:"subject"`

	// roleRef is the Role of this namespace, or the ClusterRole, that is
	// granted. Exactly one of roleRef and rules must be set. Cannot be changed.
	// +optional
	// +k8s:optional
	// +k8s:immutable
	// +k8s:unionMember
	// +k8s:opaqueType
	RoleRef *rbacv1.RoleRef `json:"roleRef,omitempty"`

	// rules are granted one by one, without a role. Exactly one of roleRef and
	// rules must be set. Cannot be changed. At most 64 entries.
	// +optional
	// +k8s:optional
	// +k8s:immutable
	// +k8s:unionMember
	// +listType=atomic
	// +k8s:listType=atomic
	// +k8s:maxItems=64
	// +k8s:eachVal=+k8s:opaqueType
	Rules []rbacv1.PolicyRule `json:"rules,omitempty"`

	// expiresAt is the time at which the grant ends. At most one of expiresAt
	// and duration may be set; with neither, the grant holds until it is
	// deleted. It may be moved to an earlier time, never to a later one; for
	// more time make a new grant.
	// +optional
	// +k8s:optional
	// +k8s:zeroOrOneOfMember
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// duration is how long the grant holds, counted from the moment at which it
	// became active, for example "90m" or "8h". At most one of expiresAt and
	// duration may be set; with neither, the grant holds until it is deleted.
	// It may be shortened, never lengthened.
	// +optional
	// +k8s:optional
	// +k8s:zeroOrOneOfMember
	Duration *metav1.Duration `json:"duration,omitempty"`

	// reason says why the permission is needed, for the people who review
	// grants. At most 1024 characters.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Reason string `json:"reason,omitempty"`
}

// GrantStatus says whether the permission holds, and on whose word.
type GrantStatus struct {
	// phase is the state of the grant in one word: "Pending", "Active",
	// "Expired" or "Refused". The last two are final.
	// +optional
	// +k8s:optional
	Phase GrantPhase `json:"phase,omitempty"`

	// grantedBy is the user who made the grant, as the server authenticated
	// them: only the server writes it, and it never changes. The grant is
	// refused when this user does not hold the permission.
	// +optional
	// +k8s:optional
	// +k8s:opaqueType
	GrantedBy *authenticationv1.UserInfo `json:"grantedBy,omitempty"`

	// activatedAt is the time at which the grant became active.
	// +optional
	// +k8s:optional
	ActivatedAt *metav1.Time `json:"activatedAt,omitempty"`

	// expiresAt is the time at which the grant ends, whether it was given as a
	// time or as a duration. Not set when the grant holds until it is deleted.
	// +optional
	// +k8s:optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// observedGeneration is the metadata.generation this status was made from.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are the details of the state.
	// +optional
	// +k8s:optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// GrantPhase is the state of a grant in one word.
// +enum
// +k8s:enum
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
