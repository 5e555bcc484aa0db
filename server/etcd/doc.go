// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package etcd runs etcd inside the process, as the store of a server that has no other: one member, one folder,
// ready in some tens of milliseconds. Start with [Start].
//
// It is not for clusters: whoever wants several replicas runs etcd elsewhere. And it does not know what is stored;
// keys, compaction and encryption belong to the API server.
//
// # The client
//
// [Server.Client] calls etcd in the process. Other processes, such as etcdctl, use the socket that [Server.Endpoints]
// names. It is in the data folder, or in a private temporary folder if the path would be longer than sockets may have.
// There is no other listener: etcd would take messages of its consensus protocol from anyone who can connect.
//
// A put of 2 kB by 32 callers costs 0.6 times what it costs over the socket (0.4 without fsync), a get 0.2 times, the way
// from a write to a watcher half (BenchmarkPut and its neighbours, on two busy cores). A first start takes 12 ms, one on
// existing data 9 ms (BenchmarkStart).
//
// # When the database is full
//
// A database that reaches its quota can be read, and keys can be deleted, but nothing is written any more, and the API
// server cannot compact it, since that begins with a write. [Start] defragments such a database and lets it be written
// again if it then is smaller than the quota, as it is after a start with a larger one.
//
// # When etcd fails
//
// etcd ends its process when it cannot write (disk full, input/output error) or read what it wrote. Here that becomes
// the error of [Start] or [Server.Err], and the process goes on until its owner ends it in order. Two kinds of failure
// still end the process at once, because nothing can catch them: a panic in one of etcd's own goroutines that it did
// not announce, and a bus error when a database file that is open is made shorter from outside. Neither loses a write
// that was acknowledged.
package etcd
