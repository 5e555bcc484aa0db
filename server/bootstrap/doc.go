// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package bootstrap makes the objects that a server has from its first start on,
// and makes them again when somebody deleted them.
package bootstrap
