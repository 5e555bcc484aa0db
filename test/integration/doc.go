// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package integration tests a whole server through its API, as clients see it:
// with the typed, dynamic and generated clients, and with bare HTTP where a client
// would hide what is tested. One file is about one topic.
//
// Most tests share the server that TestMain starts and work in a namespace, or
// with names, of their own. What is tested of a single kind is beside the kind, in
// registry/<group>.
package integration
