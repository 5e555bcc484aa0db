// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package bootstraptoken authenticates the tokens with which machines introduce
// themselves to a cluster, as kube-apiserver does with --enable-bootstrap-token-auth.
// A token is a Secret of type bootstrap.kubernetes.io/token in the namespace
// kube-system: [Token] is one as Go has it, [Authenticator] knows the user of one.
//
// Who deletes those that have expired is the controller token-cleaner-controller; the
// authenticator does not wait for it.
package bootstraptoken
