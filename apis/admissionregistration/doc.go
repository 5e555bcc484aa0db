// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +stoa:hub=k8s.io/api/admissionregistration/v1

// Package admissionregistration holds the hub types of the group admissionregistration.k8s.io: see package core for
// what a hub type is.
package admissionregistration
