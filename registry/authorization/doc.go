// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package authorization serves the kinds of the group authorization.k8s.io: reviews
// of what somebody may do, answered by the authorizer of the server. Start at [Group].
package authorization
