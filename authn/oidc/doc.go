// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package oidc believes tokens of OpenID Connect issuers, as the flags --oidc-* or an
// AuthenticationConfiguration list them. How a token is verified and what its claims
// mean is in k8s.io/apiserver; which issuers there are, and when that changes, is here.
//
// An issuer is known by the claim iss of a token, and asked alone. Issuers that stay as
// they were in a changed configuration keep their keys. One that is gone is forgotten at
// once, with every token of it that was remembered. One that is changed counts as it was
// until its keys are there.
package oidc
