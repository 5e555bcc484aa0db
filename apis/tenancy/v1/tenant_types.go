// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient
// +genclient:nonNamespaced
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:prerelease-lifecycle-gen:introduced=1.37
// +k8s:supportsSubresource="/status"

// Tenant is a group of people who share the control plane with others: who owns
// it, how many namespaces it may have, and what all of them together may use.
// The name of a tenant is a DNS label, because it is used as the value of a label
// on everything that belongs to the tenant.
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
	// projects. To create some they also need the right to create projects. They
	// are users, groups or service accounts; a service account needs its
	// namespace. A tenant without owners can be used by nobody but the
	// administrators. At most 256 entries.
	// +optional
	// +k8s:optional
	// +listType=atomic
	// +k8s:listType=atomic
	// +k8s:maxItems=256
	// +k8s:eachVal=+k8s:opaqueType
	Owners []rbacv1.Subject `json:"owners,omitempty"`

	// namespaces says how many namespaces the tenant may have, and what each of
	// them carries.
	// +optional
	Namespaces TenantNamespaces `json:"namespaces,omitempty,omitzero"`

	// quota limits what all namespaces of the tenant may use together.
	// +optional
	Quota TenantQuota `json:"quota,omitempty,omitzero"`

	// namespaceDefaults is what every namespace of the tenant has. A change
	// applies to all of them, and what somebody changes there is put right again.
	// +optional
	NamespaceDefaults NamespaceDefaults `json:"namespaceDefaults,omitempty,omitzero"`

	// placement says on which nodes the pods of the tenant run.
	// +optional
	Placement Placement `json:"placement,omitempty,omitzero"`

	// suspended stops the tenant: its owners may read, and nothing can be
	// created, changed or deleted in its namespaces until it is set to false
	// again. What runs keeps running. Defaults to false.
	// +optional
	// +k8s:optional
	Suspended bool `json:"suspended,omitempty"`
}

// TenantNamespaces says how many namespaces a tenant may have, and what each of
// them carries.
type TenantNamespaces struct {
	// limit is the number of namespaces the tenant may have. 0 means none. When
	// it is not set, there is no limit.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	Limit *int32 `json:"limit,omitempty"`

	// labels are put on every namespace of the tenant. Keys under
	// tenancy.stoa.dev and the key kubernetes.io/metadata.name are reserved.
	// +optional
	// +k8s:optional
	Labels map[string]string `json:"labels,omitempty"`

	// annotations are put on every namespace of the tenant. Keys under
	// tenancy.stoa.dev are reserved.
	// +optional
	// +k8s:optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// TenantQuota limits what all namespaces of a tenant may use together.
type TenantQuota struct {
	// hard is the limit of each named resource, with the names that a
	// ResourceQuota knows, for example requests.cpu, limits.memory, pods or
	// count/deployments.apps. What is not named is not limited.
	// +optional
	// +k8s:optional
	Hard corev1.ResourceList `json:"hard,omitempty"`
}

// NamespaceDefaults and Placement have no validation tags: v1alpha1 carries them
// in an annotation, which its tags cannot see, so ../validation has the rules.

// NamespaceDefaults is what every namespace of a tenant has.
type NamespaceDefaults struct {
	// quota becomes the ResourceQuota "tenant" in every namespace.
	// +optional
	Quota NamespaceQuota `json:"quota,omitempty,omitzero"`

	// limitRange becomes the LimitRange "tenant" in every namespace.
	// +optional
	LimitRange NamespaceLimitRange `json:"limitRange,omitempty,omitzero"`

	// roleBindings become RoleBindings in every namespace. At most 64 entries,
	// each with a name of its own.
	// +optional
	// +k8s:optional
	// +listType=map
	// +listMapKey=name
	RoleBindings []NamespaceRoleBinding `json:"roleBindings,omitempty"`

	// networkIsolation says who may reach the pods of a namespace. "None" lets
	// everybody in; "Tenant" lets in the pods of the same tenant only, by the
	// NetworkPolicy "tenant". Defaults to "None".
	// +optional
	// +k8s:optional
	NetworkIsolation NetworkIsolation `json:"networkIsolation,omitempty"`
}

// NamespaceQuota limits what one namespace may use.
type NamespaceQuota struct {
	// hard is the limit of each named resource in one namespace.
	// +optional
	// +k8s:optional
	Hard corev1.ResourceList `json:"hard,omitempty"`
}

// NamespaceLimitRange limits the single objects of one namespace.
type NamespaceLimitRange struct {
	// items are the limits, one for each type of object, with the meaning they
	// have in a LimitRange.
	// +optional
	// +k8s:optional
	// +listType=map
	// +listMapKey=type
	// +k8s:eachVal=+k8s:opaqueType
	Items []corev1.LimitRangeItem `json:"items,omitempty"`
}

// NamespaceRoleBinding is a RoleBinding that every namespace has.
type NamespaceRoleBinding struct {
	// name of the RoleBinding.
	// +required
	Name string `json:"name"`

	// roleRef is the role that is bound. It can be a Role of the namespace
	// or a ClusterRole.
	// +required
	// +k8s:opaqueType
	RoleRef rbacv1.RoleRef `json:"roleRef"`

	// subjects get the role. When empty, the owners of the tenant get it. A
	// service account without a namespace is one of the same namespace.
	// +optional
	// +k8s:optional
	// +listType=atomic
	// +k8s:eachVal=+k8s:opaqueType
	Subjects []rbacv1.Subject `json:"subjects,omitempty"`
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

// Placement says on which nodes the pods of a tenant run.
type Placement struct {
	// nodeSelector is added to every new pod of the tenant: it runs only on
	// nodes that have all these labels. A pod that asks for others is refused.
	// +optional
	// +k8s:optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations are added to every new pod of the tenant, so that it may run
	// on nodes that keep others away. Pods of other tenants must not have them.
	// +optional
	// +k8s:optional
	// +listType=atomic
	// +k8s:eachVal=+k8s:opaqueType
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
}

// TenantStatus is what the tenant has.
type TenantStatus struct {
	// phase is the state of the tenant in one word: "Active", "Suspended" or
	// "Terminating".
	// +optional
	// +k8s:optional
	Phase TenantPhase `json:"phase,omitempty"`

	// namespaces are the namespaces of the tenant.
	// +optional
	Namespaces TenantNamespacesStatus `json:"namespaces,omitempty,omitzero"`

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

// TenantNamespacesStatus lists the namespaces of a tenant.
type TenantNamespacesStatus struct {
	// count is the number of namespaces.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	Count int32 `json:"count,omitempty"`

	// names are the names of the namespaces, in order. The list may be shorter
	// than count when there are very many.
	// +optional
	// +k8s:optional
	// +listType=set
	// +k8s:listType=set
	Names []string `json:"names,omitempty"`
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
