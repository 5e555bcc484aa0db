// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package authentication serves the kinds of the group authentication.k8s.io: reviews
// of who somebody is, answered by the authenticator of the server. Start at [Group].
package authentication
