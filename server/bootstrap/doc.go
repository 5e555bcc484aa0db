// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package bootstrap makes the objects that a server has from its first start on,
// and makes those that are missing at each start.
package bootstrap
