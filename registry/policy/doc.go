// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package policy serves the kinds of the group policy.
// Start at [Group].
package policy
