// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package node serves the kinds of the group node.k8s.io.
// Start at [Group].
package node
