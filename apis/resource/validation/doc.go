// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package validation holds what a kind of resource.k8s.io must satisfy beyond the
// tags of its type: most sizes, names and enums are said there and nowhere else.
// It works on the types of k8s.io/api, and rules and texts are those of
// kube-apiserver.
package validation
