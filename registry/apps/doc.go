// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package apps serves the kinds of the group apps.
// Start at [Group].
package apps
