// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// FieldPath says what a field of the hub is called in v1alpha1. In both paths
// [*] stands for any index or key, which is carried over; what follows a
// matching path stays as it is.
//
// +k8s:deepcopy-gen=false
// +k8s:openapi-gen=false
type FieldPath struct{ Hub, Versioned string }

// inRest is where a field stands that has none in v1alpha1: at the same path
// inside the JSON of the annotation.
const inRest = "metadata.annotations[" + RestAnnotation + "]."

// TenantFieldPaths translates the field paths of errors; the first match counts.
func TenantFieldPaths() []FieldPath {
	return []FieldPath{
		{"spec.owners[*].apiGroup", "spec.owners[*]"},
		{"spec.owners[*].kind", "spec.owners[*]"},
		{"spec.owners[*].name", "spec.owners[*]"},
		{"spec.owners[*].namespace", "spec.owners[*]"},
		{"spec.namespaces.limit", "spec.maxNamespaces"},
		{"spec.namespaces", inRest + "spec.namespaces"},
		{"spec.quota.hard", "spec.quota"},
		{"spec.namespaceDefaults.networkIsolation", "spec.networkIsolation"},
		{"spec.namespaceDefaults", inRest + "spec.namespaceDefaults"},
		{"spec.placement", inRest + "spec.placement"},
		{"status.namespaces.count", "status.namespaceCount"},
		{"status.namespaces.names", "status.namespaces"},
	}
}

// GrantFieldPaths translates the field paths of errors; the first match counts.
func GrantFieldPaths() []FieldPath {
	return []FieldPath{
		{"spec.subject.apiGroup", "spec.subject"},
		{"spec.subject.kind", "spec.subject"},
		{"spec.subject.name", "spec.subject"},
		{"spec.subject.namespace", "spec.subject"},
	}
}
