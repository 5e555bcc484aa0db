// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package folder

import "errors"

// Every error of this package is one line that names the path, and matches one of these with errors.Is, or is one of the
// file system.
var (
	// ErrLocked says that another server uses the folder; the message has its process ID.
	ErrLocked = errors.New("data folder is in use")
	// ErrNotFolder says that the path of the folder, or a part of it, is something else.
	ErrNotFolder = errors.New("data folder is not a folder")
	// ErrPermission says that a file or folder cannot be read or written by this process.
	ErrPermission = errors.New("permission denied in data folder")
	// ErrUnsafe says that other users of the machine could change what is in the folder.
	ErrUnsafe = errors.New("data folder is not safe")
	// ErrFull says that the file system has no room left, or the user's disk quota is used up.
	ErrFull = errors.New("no space left for data folder")
)
