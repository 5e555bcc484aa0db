// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package discovery describes the kind EndpointSlice of discovery.k8s.io.
package discovery
