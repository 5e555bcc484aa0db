// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package reload follows the files that flags name and that are read again while the
// server runs: passwords, policies, configurations. It looks at the content and not at
// the time or the inode of a file, so that links that are exchanged, as volumes of
// ConfigMaps do, and editors that write in place are the same to it.
package reload
