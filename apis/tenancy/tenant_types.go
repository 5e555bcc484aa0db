// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Tenant is a group of people who share the control plane with others.
type Tenant struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Spec   TenantSpec
	Status TenantStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// TenantList is a list of tenants.
type TenantList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []Tenant
}

// TenantSpec is what the tenant may have.
type TenantSpec struct {
	DisplayName       string
	Owners            []rbacv1.Subject
	Namespaces        TenantNamespaces
	Quota             TenantQuota
	NamespaceDefaults NamespaceDefaults
	Placement         Placement
	Suspended         bool
}

// TenantNamespaces says how many namespaces there may be and what each carries.
type TenantNamespaces struct {
	Limit       *int32
	Labels      map[string]string
	Annotations map[string]string
}

// TenantQuota limits all namespaces of a tenant together.
type TenantQuota struct {
	Hard corev1.ResourceList
}

// NamespaceDefaults is what every namespace of a tenant has.
type NamespaceDefaults struct {
	Quota            NamespaceQuota
	LimitRange       NamespaceLimitRange
	RoleBindings     []NamespaceRoleBinding
	NetworkIsolation NetworkIsolation
}

// NamespaceQuota limits one namespace.
type NamespaceQuota struct {
	Hard corev1.ResourceList
}

// NamespaceLimitRange limits the objects of one namespace.
type NamespaceLimitRange struct {
	Items []corev1.LimitRangeItem
}

// NamespaceRoleBinding is a role binding that every namespace has.
type NamespaceRoleBinding struct {
	Name     string
	RoleRef  rbacv1.RoleRef
	Subjects []rbacv1.Subject
}

// NetworkIsolation says who may reach the pods of a namespace.
type NetworkIsolation string

const (
	// NetworkIsolationNone lets everybody in.
	NetworkIsolationNone NetworkIsolation = "None"
	// NetworkIsolationTenant lets only the tenant's own pods in.
	NetworkIsolationTenant NetworkIsolation = "Tenant"
)

// Placement says on which nodes the pods of a tenant run.
type Placement struct {
	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
}

// TenantStatus is what the tenant has.
type TenantStatus struct {
	Phase              TenantPhase
	Namespaces         TenantNamespacesStatus
	QuotaUsed          corev1.ResourceList
	ObservedGeneration int64
	Conditions         []metav1.Condition
}

// TenantNamespacesStatus lists the namespaces of a tenant.
type TenantNamespacesStatus struct {
	Count int32
	Names []string
}

// TenantPhase is the state of a tenant in one word.
type TenantPhase string

const (
	// TenantActive means that the tenant works.
	TenantActive TenantPhase = "Active"
	// TenantSuspended means that the tenant may only read.
	TenantSuspended TenantPhase = "Suspended"
	// TenantTerminating means that the tenant is being deleted.
	TenantTerminating TenantPhase = "Terminating"
)
