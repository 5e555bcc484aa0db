// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"

	"github.com/stoa-project/stoa/server/folder"
)

// A first start makes, in this order: an empty database; a log that names the member; in one write, the entry by which the
// member joins its own cluster and the state that says that this entry is committed. Then it elects itself and is ready.
// If it is killed before that write is complete, etcd takes the log for that of a member without a cluster, which can
// never be elected. Nobody can have stored anything by then, so such a start is forgotten and the next one is the first.
const (
	// The write above ends in the first page of the log.
	firstPage = 4096
	// initialPages is how long a new bbolt file is. Anything that is stored in it makes it longer.
	initialPages = 4
	// memberEntry is the index of the entry by which the member joins. The database may have it before the log does.
	memberEntry = 1
	// firstSegment is the name of the first file of a log.
	firstSegment = "0000000000000000-0000000000000000.wal"
)

// removeUnfinished removes the log and the database of a first start that was killed before its end, and says whether
// there was one. It leaves alone whatever may have been of use to somebody, damaged or not.
func removeUnfinished(dir string) (removed bool, err error) {
	logDir, database := logPath(dir), databasePath(dir)
	segments, err := filepath.Glob(filepath.Join(logDir, "*.wal"))
	if err != nil {
		return false, fmt.Errorf("look for write-ahead log: %w", err)
	}
	if len(segments) > 0 {
		if unused, err := logIsUnused(logDir, segments); err != nil || !unused {
			return false, err
		}
	}
	state, err := databaseState(database)
	switch {
	case err != nil:
		return false, err
	case len(segments) == 0 && state != databaseUnmade:
		return false, nil // etcd goes on from here, or the checks tell why not
	case state == databaseUsed:
		return false, damaged(logDir, "the write-ahead log ends before the first write, the database does not")
	case state == databaseDamaged:
		return false, nil // the checks tell why
	}
	// Without the log, an unused database does no harm: a kill between the two is one more unfinished start.
	for _, path := range append(segments, database) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("remove what an unfinished first start left: %w", folder.Classify(err))
		}
	}
	return true, nil
}

// logIsUnused says whether a log is only the beginning of one, in which nothing was ever committed.
func logIsUnused(dir string, segments []string) (bool, error) {
	if len(segments) > 1 || filepath.Base(segments[0]) != firstSegment {
		return false, nil
	}
	file, err := os.Open(segments[0])
	if err != nil {
		return false, fmt.Errorf("open write-ahead log: %w", folder.Classify(err))
	}
	defer func() { _ = file.Close() }()
	if record, _, ok := readFrame(file, 0, largestHeader); !ok || record.GetType() != checksumRecord {
		return false, nil
	}
	// This saves to read a log that is obviously used.
	if zeros, err := isZero(io.NewSectionReader(file, firstPage, firstPage)); err != nil || !zeros {
		return false, err
	}
	log, err := wal.OpenForRead(nil, dir, &walpb.Snapshot{})
	if err != nil {
		return false, nil //nolint:nilerr // etcd finds the same error
	}
	defer func() { _ = log.Close() }()
	_, state, _, err := log.ReadAll()
	// The record that is not found is one that a first start writes, too.
	if err != nil && !errors.Is(err, wal.ErrSnapshotNotFound) {
		return false, nil //nolint:nilerr // as above
	}
	if state.GetCommit() > 0 {
		return false, nil
	}
	return isZero(io.NewSectionReader(file, firstPage, math.MaxInt64-firstPage))
}

// isZero says whether there is nothing but zeros to read.
func isZero(reader io.Reader) (bool, error) {
	const chunk = 256 << 10
	buffer, zeros := make([]byte, chunk), make([]byte, chunk)
	for {
		n, err := reader.Read(buffer)
		if !bytes.Equal(buffer[:n], zeros[:n]) {
			return false, nil
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("read write-ahead log: %w", folder.Classify(err))
		}
	}
}

type databaseUse int

const (
	// databaseUsed: somebody may have stored something.
	databaseUsed databaseUse = iota
	// databaseDamaged: the same, and it cannot be read.
	databaseDamaged
	// databaseEmpty: it is missing or can be opened, and nothing was ever applied to it.
	databaseEmpty
	// databaseMember: nothing but the member itself was applied to it.
	databaseMember
	// databaseUnmade: it cannot be opened, because not even the pages of an empty one were all written.
	databaseUnmade
)

func databaseState(path string) (databaseUse, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return databaseEmpty, nil
	case err != nil:
		return databaseDamaged, fmt.Errorf("open database: %w", folder.Classify(err))
	case !info.Mode().IsRegular():
		return databaseDamaged, nil
	case info.Size() == 0:
		return databaseEmpty, nil
	}
	needed, err := neededSize(path)
	if err != nil {
		return databaseDamaged, err
	}
	if needed == 0 || info.Size() < needed {
		if initial := int64(initialPages * os.Getpagesize()); max(info.Size(), needed) <= initial {
			return databaseUnmade, nil
		}
		return databaseDamaged, nil
	}
	stored, err := walkDatabase(path)
	switch {
	case errors.Is(err, ErrCorrupt):
		return databaseDamaged, nil
	case err != nil:
		return databaseDamaged, err
	case stored.keys > 0 || stored.applied > memberEntry:
		return databaseUsed, nil
	case stored.applied == memberEntry:
		return databaseMember, nil
	default:
		return databaseEmpty, nil
	}
}
