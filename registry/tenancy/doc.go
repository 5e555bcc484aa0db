// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package tenancy is the table of the kinds of tenancy.stoa.dev, and a good place
// to learn how a kind is defined.
package tenancy
