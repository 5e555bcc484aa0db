// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package discovery serves the kinds of the group discovery.k8s.io.
// Start at [Group].
package discovery
