// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +stoa:hub=k8s.io/api/policy/v1

// Package policy holds the hub types of the group policy: see package core for
// what a hub type is.
package policy
