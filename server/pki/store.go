// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"k8s.io/utils/clock"
)

const (
	folderMode  = 0o700
	keyMode     = 0o600
	certMode    = 0o644
	othersMode  = 0o077
	othersWrite = 0o022

	certExtension = ".crt"
	keyExtension  = ".key"
	lockName      = ".lock"
)

// Store is a folder of certificates and keys. The zero value keeps nothing: everything is made anew, in memory.
type Store struct {
	// Dir is the folder, created with mode 0700. Empty means memory only.
	Dir string
	// Clock is for tests. Unset means the time of the machine.
	Clock clock.Clock
}

func (s Store) clock() clock.Clock {
	if s.Clock == nil {
		return clock.RealClock{}
	}
	return s.Clock
}

func (s Store) certFile(name string) string { return s.file(name, certExtension) }
func (s Store) keyFile(name string) string  { return s.file(name, keyExtension) }

func (s Store) file(name, extension string) string {
	if s.Dir == "" {
		return ""
	}
	return filepath.Join(s.Dir, name+extension)
}

// checkFolder refuses a folder in which other users could exchange files. One that does not exist is fine.
func (s Store) checkFolder() error {
	if s.Dir == "" {
		return nil
	}
	info, err := os.Stat(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open certificate folder: %w", err)
	}
	if mode := info.Mode().Perm(); mode&othersWrite != 0 {
		return fmt.Errorf("%w: other users can write to %s (mode %04o); run: chmod go-w %s", ErrUnsafe, s.Dir, mode, s.Dir)
	}
	return nil
}

// exclusive runs change while no other goroutine or process changes the folder.
func (s Store) exclusive(change func() error) error {
	if s.Dir == "" {
		return change()
	}
	if err := os.MkdirAll(s.Dir, folderMode); err != nil {
		return fmt.Errorf("create certificate folder: %w", err)
	}
	if err := s.checkFolder(); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(s.Dir, lockName), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, keyMode)
	if err != nil {
		return fmt.Errorf("open lock of certificate folder: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := flock(lock); err != nil {
		return fmt.Errorf("lock certificate folder %s: %w", s.Dir, err)
	}
	return change()
}

// flock waits for the lock. Closing the file releases it.
func flock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// readKey returns nil without an error if the file does not exist.
func readKey(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&othersMode != 0 {
		return nil, fmt.Errorf("%w: other users can read %s (mode %04o); run: chmod 600 %s", ErrUnsafe, path, mode, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read private key (owner %s): %w", ownerOf(info), err)
	}
	return content, nil
}

func readCert(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return content, nil
}

func ownerOf(info fs.FileInfo) string {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d, this process runs as user %d", stat.Uid, os.Geteuid())
	}
	return "unknown"
}

// writeFile replaces path in one step: readers see the old content or the new, also after a crash.
func writeFile(path string, content []byte, mode fs.FileMode) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if _, err := temp.Write(content); err != nil {
		return err
	}
	if err := temp.Chmod(mode); err != nil {
		return err
	}
	if err := keepOwner(temp, path); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// keepOwner gives the new file the owner of the one that it replaces: root may be changing the file of a user.
func keepOwner(temp *os.File, path string) error {
	info, err := os.Stat(path)
	if err != nil || os.Geteuid() != 0 {
		return nil
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return temp.Chown(int(stat.Uid), int(stat.Gid))
	}
	return nil
}

// syncFolder makes renames in a folder survive a crash of the machine.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("flush folder: %w", err)
	}
	defer func() { _ = folder.Close() }()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("flush folder %s: %w", path, err)
	}
	return nil
}
