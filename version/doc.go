// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package version says which Stoa this is and which Kubernetes it implements.
//
// Both are read from what the Go toolchain records in every binary, so that
// they are right in a plain "go build" and in a test that imports Stoa as a
// library. "make build" adds Stoa's own version and commit at link time.
//
// A server gets what it serves at /version from the package version/effective.
// Neither changes a global of the libraries it describes; binaries do that with
// the package version/stamp.
package version
