// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package validation holds what a kind of the core group must satisfy beyond
// the tags of its type. It works on the types of k8s.io/api; a hub object is
// passed as (*corev1.Secret)(obj). Rules and texts are those of kube-apiserver.
//
// ValidateX judges a new object, ValidateXUpdate a changed one; a subresource
// that may change only a part has a function of its own.
package validation
