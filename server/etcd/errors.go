// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"

	"github.com/stoa-project/stoa/server/folder"
)

// Every error of this package is one line and matches one of these with errors.Is, so that a caller can decide
// without reading text. None of the failures changes what is stored.
var (
	// ErrLocked says that another server uses the folder; the message has its process ID.
	ErrLocked = folder.ErrLocked
	// ErrNotFolder says that the path of the data folder, or a part of it, is something else.
	ErrNotFolder = folder.ErrNotFolder
	// ErrPermission says that a file or folder cannot be read or written by this process.
	ErrPermission = folder.ErrPermission
	// ErrUnsafe says that other users of the machine could change the data.
	ErrUnsafe = folder.ErrUnsafe
	// ErrDiskFull says that the file system has no room left, or the user's disk quota is used up.
	ErrDiskFull = folder.ErrFull
	// ErrCorrupt says that what is stored cannot be read; the message names the file and the way out.
	ErrCorrupt = errors.New("stored data is damaged")
	// ErrNewerVersion says that a newer etcd wrote the folder and this one cannot read it.
	ErrNewerVersion = errors.New("stored data was written by a newer version")
	// ErrFailed says that etcd ended for a reason that is none of the above.
	ErrFailed = errors.New("etcd ended")
	// ErrConfig says that a field of Config has a value that cannot be used; the message names it.
	ErrConfig = errors.New("invalid etcd configuration")
)
