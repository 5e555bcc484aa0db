// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package openapi holds the generated descriptions of the served types, for
// kubectl explain and server-side apply.
package openapi
