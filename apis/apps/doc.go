// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +stoa:hub=k8s.io/api/apps/v1

// Package apps holds the hub types of the group apps: see package core for
// what a hub type is.
package apps
