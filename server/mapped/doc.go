// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package mapped gives back memory that holds nothing but copies of files: pages of the program and of the database that a
// start touched and that are not needed again soon. Start with [Drop].
//
// It is not for memory that was allocated; that is what debug.FreeOSMemory is for.
package mapped
