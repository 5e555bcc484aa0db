// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package kubeapiserver runs the server as a drop-in for kube-apiserver: with its
// flags, its defaults, an external etcd, and certificates that it is given. It has
// no data folder and no CA.
//
// A flag of kube-apiserver whose function the server does not have is accepted,
// checked for form, and named in a warning. One that would leave data less
// protected than its user believes is an error. flags.go has the tables.
package kubeapiserver
