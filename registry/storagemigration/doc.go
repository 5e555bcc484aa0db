// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package storagemigration serves the kinds of the group storagemigration.k8s.io.
// Start at [Group].
package storagemigration
