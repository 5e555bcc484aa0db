// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package rbac serves the kinds of the group rbac.authorization.k8s.io.
// Start at [Group].
package rbac
