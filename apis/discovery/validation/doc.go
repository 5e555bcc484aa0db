// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package validation holds what an endpoint slice must satisfy beyond the tags of
// its type, which say that it has an address type, and each endpoint addresses.
// Rules and texts are those of kube-apiserver.
package validation
