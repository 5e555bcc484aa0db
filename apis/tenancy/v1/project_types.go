// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// +genclient
// +genclient:nonNamespaced
// +genclient:noStatus
// +genclient:skipVerbs=deleteCollection
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:prerelease-lifecycle-gen:introduced=1.37

// Project is a namespace as those see it who have something in it. Everybody lists
// and watches exactly the projects that they have access to; others are not found.
// To create a project makes the namespace of that name and gives its creator the
// owner role in it; to delete it deletes the namespace. Nothing else is stored.
type Project struct {
	metav1.TypeMeta `json:",inline"`

	// Standard object's metadata. The labels are those of the namespace. Labels
	// under kubernetes.io, k8s.io and tenancy.stoa.dev cannot be changed here.
	// Annotations are not shown.
	// More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec says how the project is called and whose it is.
	// +optional
	Spec ProjectSpec `json:"spec,omitempty,omitzero"`

	// status is the state of the project. Written by the system, read-only.
	// +optional
	Status ProjectStatus `json:"status,omitempty,omitzero"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:prerelease-lifecycle-gen:introduced=1.37

// ProjectList is a list of projects.
type ProjectList struct {
	metav1.TypeMeta `json:",inline"`

	// Standard list metadata.
	// More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// items is the list of projects.
	Items []Project `json:"items"`
}

// ProjectSpec says how a project is called and whose it is.
type ProjectSpec struct {
	// displayName is the name of the project as people write it. It may hold
	// spaces and need not be unique. At most 253 characters.
	// +optional
	DisplayName string `json:"displayName,omitempty"`

	// tenant is the name of the tenant that the project belongs to. Only an owner
	// of the tenant can create such a project. Cannot be changed.
	// +optional
	Tenant string `json:"tenant,omitempty"`
}

// ProjectStatus is the state of a project.
type ProjectStatus struct {
	// phase is the state of the project in one word: "Active", or "Terminating"
	// while the namespace is being deleted with all that is in it.
	// +optional
	Phase ProjectPhase `json:"phase,omitempty"`
}

// ProjectPhase is the state of a project in one word.
// +enum
type ProjectPhase string

const (
	// ProjectActive means that the project can be used.
	ProjectActive ProjectPhase = "Active"
	// ProjectTerminating means that the project is being deleted.
	ProjectTerminating ProjectPhase = "Terminating"
)
