// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package storage serves the kinds of the group storage.k8s.io.
// Start at [Group].
package storage
