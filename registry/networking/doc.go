// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package networking describes the kinds of networking.k8s.io. Those that hold the
// addresses of services, IPAddress and ServiceCIDR, are used by registry/core/service.
package networking
