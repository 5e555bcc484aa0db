// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package storage connects the stores of k8s.io/apiserver with etcd through one
// client for each etcd cluster.
//
// Upstream's factory dials etcd once for each resource and once more for each
// health check. [Clients] shares one client and one compactor between all of
// them, which saves a connection, its goroutines and a handshake a resource, and
// lets the client be one that calls an etcd in the same process directly.
// [Clients.RESTOptionsGetter] is otherwise what upstream's decorators do: a watch cache in
// front of etcd3.
//
// The package does not start etcd; package etcd does.
package storage
