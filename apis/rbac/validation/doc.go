// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package validation holds what roles and bindings must satisfy beyond the tags of
// their types. It works on the types of k8s.io/api; rules and texts are those of
// kube-apiserver. Whether a user may grant what a role grants is not for here:
// that needs to know the user.
package validation
