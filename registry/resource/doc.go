// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package resource serves the kinds of the group resource.k8s.io.
// Start at [Group].
package resource
