// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient
// +genclient:nonNamespaced
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:prerelease-lifecycle-gen:introduced=1.37
// +k8s:prerelease-lifecycle-gen:deprecated=1.40
// +k8s:prerelease-lifecycle-gen:removed=1.43
// +k8s:prerelease-lifecycle-gen:replacement=tenancy.stoa.dev,v1,Tenant
// +k8s:supportsSubresource="/status"

// Tenant is a group of people who share the control plane with others: who owns
// it, how many namespaces it may have, and what all of them together may use.
// The name of a tenant is a DNS label. This version is short: labels and
// defaults of namespaces and the placement of pods are fields of v1 only. The
// annotation tenancy.stoa.dev/v1-fields keeps them; leave it as it is.
type Tenant struct {
	metav1.TypeMeta `json:",inline"`

	// Standard object's metadata.
	// More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is what the tenant may have.
	// +optional
	Spec TenantSpec `json:"spec,omitempty,omitzero"`

	// status is what the tenant has. Written by the system, read-only.
	// +optional
	Status TenantStatus `json:"status,omitempty,omitzero"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:prerelease-lifecycle-gen:introduced=1.37
// +k8s:prerelease-lifecycle-gen:deprecated=1.40
// +k8s:prerelease-lifecycle-gen:removed=1.43
// +k8s:prerelease-lifecycle-gen:replacement=tenancy.stoa.dev,v1,TenantList

// TenantList is a list of tenants.
type TenantList struct {
	metav1.TypeMeta `json:",inline"`

	// Standard list metadata.
	// More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// items is the list of tenants.
	Items []Tenant `json:"items"`
}

// TenantSpec is what the tenant may have.
type TenantSpec struct {
	// displayName is the name of the tenant as people write it. It may hold
	// spaces and need not be unique. At most 253 characters.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=253
	DisplayName string `json:"displayName,omitempty"`

	// owners have the role admin in all namespaces of the tenant, and manage its
	// projects. To create some they also need the right to create projects. Each
	// is "user:<name>", "group:<name>" or "serviceaccount:<namespace>:<name>";
	// the name of a user or group may hold colons. At most 256 entries.
	// +optional
	// +k8s:optional
	// +listType=atomic
	// +k8s:listType=atomic
	// +k8s:maxItems=256
	// +k8s:conversion-gen=false
	Owners []string `json:"owners,omitempty"`

	// maxNamespaces is the number of namespaces the tenant may have. 0 means
	// none. When it is not set, there is no limit.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	MaxNamespaces *int32 `json:"maxNamespaces,omitempty"`

	// quota is the limit of each named resource over all namespaces of the
	// tenant together, with the names that a ResourceQuota knows, for example
	// requests.cpu, limits.memory, pods or count/deployments.apps. What is not
	// named is not limited.
	// +optional
	// +k8s:optional
	Quota corev1.ResourceList `json:"quota,omitempty"`

	// networkIsolation says who may reach the pods of a namespace. "None" lets
	// everybody in; "Tenant" lets in the pods of the same tenant only, by the
	// NetworkPolicy "tenant". Defaults to "None".
	// +optional
	// +k8s:optional
	NetworkIsolation NetworkIsolation `json:"networkIsolation,omitempty"`

	// suspended stops the tenant: its owners may read, and nothing can be
	// created, changed or deleted in its namespaces until it is set to false
	// again. What runs keeps running. Defaults to false.
	// +optional
	// +k8s:optional
	Suspended bool `json:"suspended,omitempty"`
}

// NetworkIsolation says who may reach the pods of a namespace.
// +enum
// +k8s:enum
type NetworkIsolation string

const (
	// NetworkIsolationNone lets everybody in.
	NetworkIsolationNone NetworkIsolation = "None"
	// NetworkIsolationTenant lets in the pods of the same tenant only.
	NetworkIsolationTenant NetworkIsolation = "Tenant"
)

// TenantStatus is what the tenant has.
type TenantStatus struct {
	// phase is the state of the tenant in one word: "Active", "Suspended" or
	// "Terminating".
	// +optional
	// +k8s:optional
	Phase TenantPhase `json:"phase,omitempty"`

	// namespaceCount is the number of namespaces.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	NamespaceCount int32 `json:"namespaceCount,omitempty"`

	// namespaces are the names of the namespaces, in order. The list may be
	// shorter than namespaceCount when there are very many.
	// +optional
	// +k8s:optional
	// +listType=set
	// +k8s:listType=set
	Namespaces []string `json:"namespaces,omitempty"`

	// quotaUsed is what all namespaces of the tenant use together, for the
	// resources that spec.quota names.
	// +optional
	// +k8s:optional
	QuotaUsed corev1.ResourceList `json:"quotaUsed,omitempty"`

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

// TenantPhase is the state of a tenant in one word.
// +enum
// +k8s:enum
type TenantPhase string

const (
	// TenantActive means that the tenant works.
	TenantActive TenantPhase = "Active"
	// TenantSuspended means that the tenant may only read.
	TenantSuspended TenantPhase = "Suspended"
	// TenantTerminating means that the tenant is being deleted.
	TenantTerminating TenantPhase = "Terminating"
)
