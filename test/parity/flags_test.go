// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package parity

// flags are those that make the server what kube-apiserver was when it answered.
var flags = []string{"--service-cluster-ip-range=10.0.0.0/24", "--controllers=-*", "--disable-admission-plugins=NamespaceCreator"}
