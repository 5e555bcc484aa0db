// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package core is the table of the kinds of the core group. What a kind must do
// is Kubernetes' contract; where one differs from what registry/kind derives, its
// file says so.
package core
