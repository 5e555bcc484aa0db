// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package certificate authenticates requests by the client certificate of their
// connection, and remembers certificates that it has verified.
//
// k8s.io/apiserver verifies the signature anew for each request, although one
// connection carries thousands. With keys on the P-256 curve that is a fifth of
// what a create costs, and a third of a get.
package certificate
