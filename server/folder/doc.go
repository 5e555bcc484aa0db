// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package folder gives a server a folder of its own: private, on a disk that can be written, and used by one process at a
// time. Start with [Lock].
//
// It is not for what is in the folder, and locks nothing against programs that do not ask.
package folder
