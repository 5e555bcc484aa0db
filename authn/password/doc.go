// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package password authenticates requests by a user name and a password in the
// header of HTTP basic authentication, against a file of users. kube-apiserver had
// this as --basic-auth-file until 1.19, with passwords as they are; here the file has
// hashes of them, bcrypt or argon2id.
//
// A hash is slow on purpose. What that means for a server: a password that was right
// is remembered for a minute, by a MAC with a key that only this process has; few
// hashes are computed at once, and few requests wait for one. A user who does not
// exist costs as much time as one who does.
//
// The file is read again when it changes. One with a mistake changes nothing.
package password
