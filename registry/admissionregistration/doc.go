// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package admissionregistration serves the kinds of the group admissionregistration.k8s.io.
// Start at [Group].
package admissionregistration
