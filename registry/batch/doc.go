// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package batch serves the kinds of the group batch.
// Start at [Group].
package batch
