// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package flowcontrol serves the kinds of the group flowcontrol.apiserver.k8s.io.
// Start at [Group].
package flowcontrol
