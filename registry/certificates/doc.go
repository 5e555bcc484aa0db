// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package certificates serves the kinds of the group certificates.k8s.io.
// Start at [Group].
package certificates
