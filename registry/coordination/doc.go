// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package coordination serves the kinds of the group coordination.k8s.io.
// Start at [Group].
package coordination
