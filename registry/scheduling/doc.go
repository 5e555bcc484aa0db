// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package scheduling serves the kinds of the group scheduling.k8s.io.
// Start at [Group].
package scheduling
