// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package review answers the admission webhooks of a cluster that a server is behind, with
// the admission plugins that see a write when the server stands alone. A plugin sees no
// difference. Start with [Serve].
//
// The cluster sends a review to itself, at a path of the group that it sends on to the
// server. So a review comes like every other request, from a user whom the cluster has
// authenticated and who may make it: nothing here asks who it is.
package review
