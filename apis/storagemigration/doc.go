// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +stoa:hub=k8s.io/api/storagemigration/v1

// Package storagemigration holds the hub types of the group storagemigration.k8s.io: see package core for
// what a hub type is.
package storagemigration
