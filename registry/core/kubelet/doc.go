// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package kubelet says how to reach the kubelet of a node: at which of the node's
// addresses and ports, and with what TLS. It sends nothing itself: the
// subresources of pods and nodes in registry/core do.
package kubelet
