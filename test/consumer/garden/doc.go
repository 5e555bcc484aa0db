// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package

// Package garden is the API group garden.example.com: its hub types and its table
// of kinds.
package garden
