// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"

	"github.com/stoa-project/stoa/server/folder"
)

var (
	// errAborted stands for a goroutine of etcd that ended without a result; crash has the reason.
	errAborted = errors.New("aborted")
	// errPanicked wraps the value of a panic.
	errPanicked = errors.New("etcd panicked")
)

// crashError explains what crash recorded.
func (s *Server) crashError() error {
	cause := s.crash.cause
	if cause == nil {
		cause = errors.New(s.crash.message)
	} else {
		cause = fmt.Errorf("%s: %w", s.crash.message, cause)
	}
	return s.explain("keep data", cause)
}

// explain adds the sentinel and the folder to an error of etcd.
func (s *Server) explain(doing string, err error) error {
	known := folder.Classify(err)
	if !isSentinel(known) && isFull(err) {
		known = fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	if isSentinel(known) {
		return fmt.Errorf("%w (data folder %s)", oneLine(known), s.dir)
	}
	switch {
	case isNewer(err):
		return fmt.Errorf("%w: %s: %w; use the newer release, or restore a snapshot of this one",
			ErrNewerVersion, s.dir, oneLine(err))
	case isCorrupt(err):
		return fmt.Errorf("%w: %s: %w; %s", ErrCorrupt, s.blame(err), oneLine(err), wayOut)
	default:
		return fmt.Errorf("%w: %s in %s: %w", ErrFailed, doing, s.dir, oneLine(err))
	}
}

func isSentinel(err error) bool {
	return errors.Is(err, ErrDiskFull) || errors.Is(err, ErrPermission) || errors.Is(err, ErrNotFolder)
}

// isFull goes by text because bbolt does not wrap the errors of the file system.
func isFull(err error) bool {
	text := err.Error()
	for _, number := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if strings.Contains(text, number.Error()) {
			return true
		}
	}
	return false
}

// isNewer goes by text because etcd has no typed error for it.
func isNewer(err error) bool {
	text := err.Error()
	return strings.Contains(text, "invalid downgrade") ||
		strings.Contains(text, "cannot downgrade storage") ||
		strings.Contains(text, "downgrades are not yet supported") ||
		strings.Contains(text, "unable to downgrade") ||
		strings.Contains(text, "is not supported")
}

// isCorrupt knows the errors of the log and the database. A panic while reading stored data can have no other cause.
func isCorrupt(err error) bool {
	for _, known := range []error{
		errPanicked,
		walpb.ErrCRCMismatch, wal.ErrMetadataConflict, wal.ErrFileNotFound, wal.ErrSnapshotMismatch,
		wal.ErrSnapshotNotFound, wal.ErrSliceOutOfRange, wal.ErrDecoderNotFound, io.ErrUnexpectedEOF, io.EOF,
		bolterrors.ErrInvalid, bolterrors.ErrVersionMismatch, bolterrors.ErrChecksum,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	text := err.Error()
	for _, part := range []string{
		"does not match with snapshot", "of the backend is missing", "WAL", "wal:", "database",
		"recover", "unmarshal", "out of range", "corrupt", "proto:",
	} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// blame names the log or the database if the error is about one of them, else the folder of both.
func (s *Server) blame(err error) string {
	text := err.Error()
	switch {
	case errors.Is(err, walpb.ErrCRCMismatch), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF),
		strings.Contains(text, "WAL"), strings.Contains(text, "wal:"), strings.Contains(text, "proto:"):
		return logPath(s.dir)
	case strings.Contains(text, "database"), errors.Is(err, bolterrors.ErrInvalid),
		errors.Is(err, bolterrors.ErrChecksum):
		return databasePath(s.dir)
	default:
		return filepath.Join(s.dir, "member")
	}
}

// lineError is an error whose text has no line breaks.
type lineError struct{ error }

func (e lineError) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }
func (e lineError) Unwrap() error { return e.error }

func oneLine(err error) error {
	if strings.ContainsAny(err.Error(), "\r\n") {
		return lineError{err}
	}
	return err
}
