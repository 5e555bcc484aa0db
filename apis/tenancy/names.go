// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

const (
	// TenantLabel is the label of a namespace, and of what the system keeps in it, with
	// the name of the tenant that the namespace belongs to.
	TenantLabel = GroupName + "/tenant"
	// ExpiresAtAnnotation is the annotation of a role binding that says when it is over,
	// as RFC 3339 writes it. The authorizer ignores the binding from then on.
	ExpiresAtAnnotation = GroupName + "/expires-at"
)
