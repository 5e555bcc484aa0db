// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package defaults gives values to fields that are not set. Which values is said
// beside the served types, in the functions SetDefaults of each version.
package defaults
