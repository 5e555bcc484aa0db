// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package userfile reads the files in which kube-apiserver keeps users together with
// what they prove themselves by: lines of comma-separated values, of which the first
// is a token or a password, then the name and the UID of the user, and optionally
// the groups, as one value that has commas itself.
//
// It knows nothing of tokens and passwords. Its errors name the line, and never what
// is in it.
package userfile
