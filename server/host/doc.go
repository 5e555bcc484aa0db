// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package host is what a server in aggregated mode has of the cluster that it is
// behind: a connection, who its users are and what they may do, and the certificate by
// which the cluster knows the server. Start with [Open].
//
// The cluster may be away for a while. What it said last then holds on for reads, for
// as long as [Options] say; everything else fails until it is back.
package host
