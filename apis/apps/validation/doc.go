// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package validation holds what a kind of the group apps must satisfy beyond the
// tags of its type. It works on the types of k8s.io/api; rules and texts are
// those of kube-apiserver.
//
// ValidateX judges a new object, ValidateXUpdate a changed one, and
// ValidateXStatus a change of its status.
package validation
