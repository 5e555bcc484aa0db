// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package autoscaling serves the kinds of the group autoscaling.
// Start at [Group].
package autoscaling
