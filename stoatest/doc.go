// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package stoatest runs a Stoa API server inside a Go test.
//
//	func TestController(t *testing.T) {
//		server := stoatest.Start(t)
//		client := kubernetes.NewForConfigOrDie(server.Config())
//		...
//	}
//
// It is the server that the binary is: etcd, TLS, watch cache, admission and
// all. A start takes a fraction of a second, needs no binaries and no
// network, and any number of servers can run at once in one test binary. When the
// test ends, the server is gone, with its files and goroutines.
//
// Differences from production, all of which an [Option] can undo: data is in a
// temporary folder, etcd does not wait for the disk, and the port is a free one of
// the loopback interface.
package stoatest
