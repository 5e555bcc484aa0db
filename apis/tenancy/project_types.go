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
	// LimitsLabel says of the namespace of a tenant how little a host, whose webhooks go by
	// it, has to ask about what is written there. A namespace that is new has no such label:
	// the host asks about everything.
	LimitsLabel = GroupName + "/limits"
	// LimitsNone says that the tenant has no quota, and nobody machines of his own.
	LimitsNone = "none"
	// LimitsWithoutPlacement says that pods get nothing from the tenant.
	LimitsWithoutPlacement = "no-placement"
	// Webhooks is the name of the two configurations by which a host asks. In one of them
	// pods get the placement of their tenant, in the other one what is written is judged, and
	// charged to the quota of the tenant.
	Webhooks = "stoa-tenants"
	// PlacementWebhook is the webhook in the first one.
	PlacementWebhook = "placement." + GroupName
	// LimitsWebhook is the webhook in the other one.
	LimitsWebhook = "limits." + GroupName
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
