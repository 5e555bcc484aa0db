// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package folder

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	lockName = "lock"
	lockMode = 0o600
)

// Held is the exclusive right to a folder. It lasts until Release or the end of the process, however that ends, and does
// not depend on anything referring to the value.
type Held struct {
	// file is a number and not an os.File, which the garbage collector would close, and so release, for an owner that
	// failed and was forgotten while parts of it still write.
	file        int
	releaseOnce sync.Once
	releaseErr  error
}

// Lock creates the folder if needed, with mode 0700, refuses one that cannot be used, or not safely, and takes the
// exclusive right to it. It does not wait: if another server, in this process or in another, has it, the error is
// ErrLocked. It changes nothing in the folder but the file "lock", which has the holder's process ID. The right to a
// folder says nothing about folders inside.
func Lock(dir string) (*Held, error) {
	if err := prepare(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, lockMode)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", Classify(err))
	}
	defer func() { _ = file.Close() }() // another number for the same lock keeps it
	if err := flock(file); err != nil {
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %q: %w", path, err)
		}
		return nil, fmt.Errorf("%w: %s by %s; stop it or choose another folder", ErrLocked, dir, holder(readPID(file)))
	}
	if err := writePID(file); err != nil {
		return nil, fmt.Errorf("write lock file: %w", Classify(err))
	}
	number, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("keep lock %q: %w", path, err)
	}
	return &Held{file: number}, nil
}

// Release gives the folder back; a second call does nothing. The file stays: removing it would let two processes lock two
// files of one name.
func (h *Held) Release() error {
	h.releaseOnce.Do(func() {
		_ = unix.Ftruncate(h.file, 0)
		if err := unix.Close(h.file); err != nil {
			h.releaseErr = fmt.Errorf("close lock file: %w", err)
		}
	})
	return h.releaseErr
}

func flock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func writePID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readPID returns 0 if the holder has not written its number yet.
func readPID(file *os.File) int {
	const enough = 64
	content, err := io.ReadAll(io.NewSectionReader(file, 0, enough))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return pid
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
