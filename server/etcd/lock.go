// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package etcd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const lockFile = "lock"

// lock is the exclusive right to a data folder. The file's first line is the holder's process ID, the second the
// socket if that is elsewhere. The operating system releases the lock when the process ends, however it ends.
type lock struct {
	file *os.File
	// previousSocket is what the holder before this one left behind, if it was killed.
	previousSocket string
}

func acquireLock(dir string) (*lock, error) {
	path := filepath.Join(dir, lockFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", classifyFileError(err))
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pid, _ := readLock(file)
		_ = file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %q: %w", path, err)
		}
		return nil, fmt.Errorf("%w: %s by %s; stop it or choose another folder", ErrLocked, dir, holder(pid))
	}
	_, socket := readLock(file)
	l := &lock{file: file, previousSocket: socket}
	if err := l.write(""); err != nil {
		_ = file.Close()
		return nil, err
	}
	return l, nil
}

// write records the holder, and the socket if it is outside the folder.
func (l *lock) write(socket string) error {
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("write lock file: %w", classifyFileError(err))
	}
	if _, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"+socket+"\n"), 0); err != nil {
		return fmt.Errorf("write lock file: %w", classifyFileError(err))
	}
	return nil
}

// release gives the folder back. The file stays: removing it would let two processes lock two files of one name.
func (l *lock) release() error {
	_ = l.file.Truncate(0)
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("close lock file: %w", err)
	}
	return nil
}

func readLock(file *os.File) (pid int, socket string) {
	const enough = 4096
	content, err := io.ReadAll(io.NewSectionReader(file, 0, enough))
	if err != nil {
		return 0, ""
	}
	first, rest, _ := strings.Cut(string(content), "\n")
	pid, err = strconv.Atoi(first)
	if err != nil {
		return 0, ""
	}
	socket, _, _ = strings.Cut(rest, "\n")
	return pid, socket
}

func holder(pid int) string {
	switch pid {
	case 0:
		return "another process"
	case os.Getpid():
		return fmt.Sprintf("another server in this process (PID %d)", pid)
	default:
		return fmt.Sprintf("process %d", pid)
	}
}
