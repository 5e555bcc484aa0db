// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package rbac serves the kinds of the group rbac.authorization.k8s.io.
// Start at [Group].
//
// Whether a user may grant what a role grants is decided around the stores, by the
// storage that [kind.Definition] Main puts in their place.
package rbac
