// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +stoa:hub=k8s.io/api/core/v1:-List,-SerializedReference

// Package core holds the hub types of the core group.
//
// A hub type is a type of its own with the shape of the one in k8s.io/api:
// "type Namespace corev1.Namespace". Being a different Go type lets server-side
// apply and the scheme tell the two apart; having the same shape makes
// conversion an assignment, and (*corev1.Namespace)(obj) is free, so code that
// works on k8s.io/api works on the hub.
//
// hack/hub-gen writes the types from the tag +stoa:hub. Option types
// (PodLogOptions and the like) need no hub.
package core
