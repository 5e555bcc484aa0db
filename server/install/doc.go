// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package install puts a server in aggregated mode behind a cluster, and takes it away
// again. [Options.Objects] are all objects that this takes; charts/stoa has the same.
// [Cluster.Examine] says what is wrong with what is there.
package install
