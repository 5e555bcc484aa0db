// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package pki makes the certificates and kubeconfigs that a server needs at its first start, keeps them in a folder, and
// renews them before they expire. Start with [Store.EnsureCA]. [Store.EnsureKey] makes a key without a certificate.
//
// Everything is ECDSA P-256: a pair takes well under a millisecond. A leaf that is missing, damaged, about to expire or
// short of a name is made anew. A certificate authority never is: clients trust it, so what is wrong with one is an error
// that names the file.
//
// It is not for certificates that users bring; those are read where their flags are. And it is not a certificate signing
// API.
package pki
