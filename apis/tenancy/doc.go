// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package

// Package tenancy holds the hub types of the group tenancy.stoa.dev: the shape
// in which the server works, whatever version a client speaks.
//
// Nobody outside the server sees these types, so they have no JSON tags. They
// keep the field names of the newest version, v1, so that the path in a
// validation error is the path a user of v1 wrote; FieldPaths of v1alpha1 says
// what the same field is called there. The meaning of every field is
// described once, in v1.
//
// Start at tenant_types.go, then v1/tenant_types.go, then
// v1alpha1/tenant_conversion.go for the version with another shape.
package tenancy
