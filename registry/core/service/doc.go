// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package service gives services what the cluster has for them: cluster IPs, node
// ports and ports for health checks, each to one service only.
//
// Who has what is in etcd, in the form that kube-apiserver uses, so that either can
// take over from the other: an IPAddress for each cluster IP, and one bitmap for
// the ports. Each is claimed by one write that fails if another server was
// quicker. Nothing of it is kept in memory.
//
//	create, update   BeginCreate, BeginUpdate claim before the service is written;
//	                 at the end of the request, what a failed write claimed is given
//	                 back, as is, after a successful one, what the service has no use
//	                 for any more
//	delete           gives everything back
//	dry run          claims nothing and makes up values
//
// A process that dies in between leaves something claimed that no service has;
// [Allocator.Repair] finds that. A service that asks for an address which was claimed
// for it before gets it at once.
//
// The package is not for what a service looks like: that is in the parent package,
// in the validation of the core group and in its defaults. Start at [New].
package service
