// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package serviceaccount issues the tokens of service accounts, and believes them. A
// token is a JWT with the claims of kube-apiserver: it is for audiences, ends by
// itself, and is bound to its account and to a pod, node or secret. It is worth
// nothing once one of these is gone, because they are looked up whenever it is used.
//
// Start at [NewIssuer], which signs, and [New], which verifies. The tokens that older
// Kubernetes wrote into secrets are verified too, but not made. [NewDiscovery] tells
// others how to verify what is signed here.
package serviceaccount
