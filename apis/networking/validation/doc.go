// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package validation holds what a kind of networking.k8s.io must satisfy. What tags
// say as well is marked, so that it is reported once. It works on the types of
// k8s.io/api. Rules and texts are those of kube-apiserver.
package validation
