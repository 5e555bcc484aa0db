// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package rbac decides by roles and their bindings, as the mode RBAC of
// kube-apiserver does.
//
// Bindings are kept by subject and namespace, so that a decision costs what binds
// the user and his groups, and nothing for other bindings.
package rbac
