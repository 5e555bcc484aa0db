// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package networking serves the kinds of the group networking.k8s.io.
// Start at [Group].
package networking
