// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +stoa:hub=k8s.io/api/coordination/v1

// Package coordination holds the hub types of the group coordination.k8s.io: see package core for
// what a hub type is.
package coordination
