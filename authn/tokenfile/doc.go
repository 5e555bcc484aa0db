// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package tokenfile authenticates bearer tokens that a file lists, each with its
// user, as --token-auth-file of kube-apiserver does. The file is read once. The
// authenticator itself is that of k8s.io/apiserver, whose reader of files does not
// say in which line a mistake is.
package tokenfile
