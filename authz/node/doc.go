// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package node authorizes kubelets as the mode Node of kube-apiserver does: a node may
// read what the pods need that are bound to it, and write what is its own. What a
// write contains is for the admission plugin NodeRestriction to judge.
//
// Which objects a node may read is kept in a table with one entry for each node and
// object, so that a decision is one look-up however many pods there are. The table
// is kept by watches. They start when a node first asks for something that depends on
// it; a server without nodes has none. Start with authorizer.go, then graph.go.
package node
