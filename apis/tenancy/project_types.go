// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

const (
	// TenantLabel is the label by which a namespace belongs to a tenant. Its value is
	// the name of the tenant.
	TenantLabel = GroupName + "/tenant"
	// OwnersBinding is the role binding of the owners of a tenant in its namespaces.
	OwnersBinding = "tenant-owners"
	// OwnersRole is the cluster role that the owners of a tenant have in its namespaces.
	OwnersRole = "admin"
	// SuspendedLabel is on the namespaces of a tenant that is suspended, in a host whose
	// policy goes by it. Its value is the name of the tenant.
	SuspendedLabel = GroupName + "/suspended"
	// MetadataAnnotation is on the namespaces that have labels or annotations from a tenant,
	// and goes with them. Its value is the name of the tenant. It gives nobody anything.
	MetadataAnnotation = GroupName + "/metadata-of"
	// NamespacesFinalizer keeps a tenant until its namespaces are gone.
	NamespacesFinalizer = GroupName + "/namespaces"
	// DisplayNameAnnotation holds the display name of the project that a namespace is.
	DisplayNameAnnotation = GroupName + "/display-name"
	// ProjectAnnotation of a namespace says that it was created as a project.
	ProjectAnnotation = GroupName + "/created-as-project"
	// ProjectWriters is the group in which users write the namespaces of their projects. A
	// default role lets it do that; nobody else is in it.
	ProjectWriters = "system:stoa:project-writers"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Project is a namespace as those see it who have something in it.
type Project struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Spec   ProjectSpec
	Status ProjectStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ProjectList is a list of projects.
type ProjectList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []Project
}

// ProjectSpec says how a project is called and whose it is.
type ProjectSpec struct {
	DisplayName string
	Tenant      string
}

// ProjectStatus is the state of a project.
type ProjectStatus struct {
	Phase ProjectPhase
}

// ProjectPhase is the state of a project in one word.
type ProjectPhase string

const (
	// ProjectActive means that the project can be used.
	ProjectActive ProjectPhase = "Active"
	// ProjectTerminating means that the project is being deleted.
	ProjectTerminating ProjectPhase = "Terminating"
)
