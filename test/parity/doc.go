// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package parity sends requests to a server that were sent to kube-apiserver
// 1.37.1 before, and says how far the answers agree.
//
// testdata/corpus holds what kube-apiserver answered. A file is one base object
// with its cases: a case changes one field of the object and sends it, as a dry
// run, as a create, an update or an update of status. Files that begin with an
// underscore hold discovery, the objects of a new cluster and OpenAPI.
//
// Answers agree at one of three [Level]s. testdata/gaps.tsv lists every case that
// does not agree exactly, with the level it reaches: the floor that only rises.
// testdata/exceptions.yaml lists where Stoa means to differ, and why.
//
// "make parity" replays everything; "go test" a sample.
package parity
