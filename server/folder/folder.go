// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	folderMode  = 0o700
	othersWrite = 0o022
	readWrite   = unix.R_OK | unix.W_OK
)

// prepare creates the folder if needed and refuses one that cannot be used, or not safely. It changes nothing in a folder
// that exists.
func prepare(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return create(dir)
	case err != nil:
		return fmt.Errorf("open data folder: %w", Classify(err))
	case !info.IsDir():
		return fmt.Errorf("%w: %s is a file", ErrNotFolder, dir)
	}
	if err := checkOwner(dir, info); err != nil {
		return err
	}
	if err := unix.Access(dir, readWrite|unix.X_OK); err != nil {
		return denied(dir, err)
	}
	return nil
}

func create(dir string) error {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return fmt.Errorf("create data folder: %w", Classify(err))
	}
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		// A parent that may be passed through but not read: the new folder is there, only not yet flushed.
		return nil
	}
	defer func() { _ = parent.Close() }()
	if err := parent.Sync(); err != nil {
		return fmt.Errorf("flush folder %q: %w", parent.Name(), Classify(err))
	}
	return nil
}

// checkOwner refuses a folder that another user could change: files in it could be replaced behind the server's back.
// Root may use a folder of another user, because volumes in containers often have a fixed owner.
func checkOwner(dir string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&othersWrite != 0 {
		return fmt.Errorf("%w: other users can write to %s (mode %04o); run: chmod go-w %s", ErrUnsafe, dir, mode, dir)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if uid := os.Geteuid(); ok && uid != 0 && int(stat.Uid) != uid {
		return fmt.Errorf("%w: %s belongs to user %d, this process runs as user %d", ErrPermission, dir, stat.Uid, uid)
	}
	return nil
}

// CheckAccess finds files at and below path that this process cannot change, typically after one start as root, before a
// server stumbles over one of them half-way. A path that does not exist is fine.
func CheckAccess(path string) error {
	return filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return denied(path, err)
		}
		mode := uint32(readWrite)
		if entry.IsDir() {
			mode |= unix.X_OK
		}
		if err := unix.Access(path, mode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return denied(path, err)
		}
		return nil
	})
}

func denied(path string, cause error) error {
	owner := ""
	if info, err := os.Lstat(path); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			owner = fmt.Sprintf(" (mode %04o, owner %d, this process runs as user %d)",
				info.Mode().Perm(), stat.Uid, os.Geteuid())
		}
	}
	if pathError, ok := errors.AsType[*fs.PathError](cause); ok {
		cause = pathError.Err
	}
	return fmt.Errorf("%w: read and write %s%s: %w", ErrPermission, path, owner, cause)
}

// Classify adds the sentinel of this package that belongs to an error of the file system; others are returned as they are.
func Classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("%w: %w", ErrNotFolder, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", ErrPermission, err)
	default:
		return err
	}
}
