// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package validation holds what an endpoint slice must satisfy. What tags say as
// well is marked, so that it is reported once. Rules and texts are those of
// kube-apiserver.
package validation
