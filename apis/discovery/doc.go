// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +stoa:hub=k8s.io/api/discovery/v1

// Package discovery holds the hub types of the group discovery.k8s.io: see package core for
// what a hub type is.
package discovery
