// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

// ExpiresAtAnnotation is the annotation of a role binding that says when it is over,
// as RFC 3339 writes it. The authorizer ignores the binding from then on.
const ExpiresAtAnnotation = GroupName + "/expires-at"
