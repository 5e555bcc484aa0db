// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package bootstrap makes the objects that a server has from its first start on:
// namespaces, roles and bindings, flow schemas and priority levels, priority classes,
// and the config map that tells extension servers whom to believe.
//
// A [Seeder] compares them with what is stored at each start, and writes what is
// missing or was changed where it must not be: straight into etcd, all at once, so
// that a first start takes milliseconds, and before anything is served. What users
// may change, and have changed, stays.
//
// Start at [Seeder.Run]; [Objects] lists the objects.
package bootstrap
