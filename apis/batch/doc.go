// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +stoa:hub=k8s.io/api/batch/v1

// Package batch holds the hub types of the group batch: see package core for
// what a hub type is.
package batch
