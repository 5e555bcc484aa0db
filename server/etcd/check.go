// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/stoa-project/stoa/server/folder"
)

// wayOut ends every message about damaged data.
const wayOut = "restore the folder from a snapshot, or move it away to start empty"

func databasePath(dir string) string { return filepath.Join(dir, "member", "snap", "db") }
func logPath(dir string) string      { return filepath.Join(dir, "member", "wal") }

// checkStored looks for damage that etcd does not survive or, worse, does not notice:
//   - a database file shorter than its own header says is mapped into memory and ends the process with a bus error;
//   - an empty database beside a log is taken for a new one, and everything before the last log snapshot is gone;
//   - a database without its log, or with one that has a hole, accepts writes and then ignores them, because their
//     numbers are used already;
//   - a database with a broken page panics in a goroutine of bbolt;
//   - a database without the member waits for ever for its election.
//
// It reads the headers of all pages in use, as bbolt does again when it opens the file, and the lengths in the log.
func checkStored(dir string) error {
	database := databasePath(dir)
	log, err := readLog(logPath(dir))
	if err != nil {
		return err
	}
	hasLog := log.segments > 0
	info, err := os.Stat(database)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open database: %w", folder.Classify(err))
	}
	switch {
	case !info.Mode().IsRegular():
		return damaged(database, "it is not a regular file")
	case info.Size() == 0 && hasLog:
		return damaged(database, "the file is empty")
	case info.Size() == 0:
		return nil
	}
	if err := checkDatabase(database, info.Size()); err != nil {
		return err
	}
	stored, err := walkDatabase(database)
	switch {
	case err != nil:
		return err
	case stored.applied > 0 && !hasLog:
		return damaged(logPath(dir), "the write-ahead log is missing")
	case stored.applied > log.last:
		return damaged(logPath(dir), fmt.Sprintf("the write-ahead log ends at entry %d, the database has %d",
			log.last, stored.applied))
	case stored.applied > 0 && stored.members == 0:
		// Such a member cannot elect itself, and a start would wait for that for ever.
		return damaged(database, "the member is missing")
	default:
		return nil
	}
}

func damaged(path, reason string) error {
	return fmt.Errorf("%w: %s: %s; %s", ErrCorrupt, path, reason, wayOut)
}

// The two header pages of a bbolt file, version 2: sixteen bytes of page header, then this in the machine's byte order.
const (
	fileMode    = 0o600
	openTimeout = time.Second

	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	pageHeaderSize = 16
	metaSize       = 64
	metaPageSize   = 8  // offset of the page size
	metaPages      = 40 // offset of the number of pages in use
	metaChecksum   = 56
	smallestPage   = 1 << 10
	largestPage    = 1 << 16
)

// checkDatabase compares the size of the file with what its headers say. One good header is enough, as for bbolt: the
// other may have been torn by a crash.
func checkDatabase(path string, size int64) error {
	needed, err := neededSize(path)
	switch {
	case err != nil:
		return err
	case needed == 0:
		return damaged(path, "neither of its headers is valid")
	case size < needed:
		return damaged(path, fmt.Sprintf("the file is cut off at %d of %d bytes", size, needed))
	default:
		return nil
	}
}

// neededSize returns the size that the file must have according to its headers, 0 if none is valid.
func neededSize(path string) (needed int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("open database: %w", folder.Classify(err))
	}
	defer func() { _ = file.Close() }()

	if pages, pageSize, ok := readMeta(file, 0); ok {
		needed = pages * pageSize
		if pages, pageSize, ok := readMeta(file, pageSize); ok {
			// The newer of the two has at least as many pages, except when the file was never shrunk: it never is.
			needed = max(needed, pages*pageSize)
		}
	} else {
		for pageSize := int64(smallestPage); pageSize <= largestPage && needed == 0; pageSize *= 2 {
			if pages, stated, ok := readMeta(file, pageSize); ok && stated == pageSize {
				needed = pages * pageSize
			}
		}
	}
	return needed, nil
}

func readMeta(file io.ReaderAt, offset int64) (pages, pageSize int64, ok bool) {
	meta := make([]byte, metaSize)
	if _, err := file.ReadAt(meta, offset+pageHeaderSize); err != nil {
		return 0, 0, false
	}
	order := binary.NativeEndian
	if order.Uint32(meta) != boltMagic || order.Uint32(meta[4:]) != boltVersion {
		return 0, 0, false
	}
	sum := fnv.New64a()
	_, _ = sum.Write(meta[:metaChecksum])
	if sum.Sum64() != order.Uint64(meta[metaChecksum:]) {
		return 0, 0, false
	}
	return int64(order.Uint64(meta[metaPages:])), int64(order.Uint32(meta[metaPageSize:])), true
}

// content is what the checks need to know about a database.
type content struct {
	// applied is the index of the last log entry in the database, 0 for none, as after a first start that was killed.
	applied uint64
	// keys and members are how many there are.
	keys, members int
}

// walkDatabase visits every page of the database that is in use. bbolt does the same walk when it opens the file for
// writing, but in a goroutine whose panic ends the process; here a panic is an error.
func walkDatabase(path string) (found content, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = damaged(path, fmt.Sprint(r))
		}
	}()
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{ReadOnly: true, Timeout: openTimeout})
	if errors.Is(err, bolterrors.ErrTimeout) {
		// The lock of the folder should have said so, but somebody removed its file.
		return found, fmt.Errorf("%w: %s is open in another process; stop it or choose another folder", ErrLocked, path)
	}
	if err != nil {
		return found, damaged(path, err.Error())
	}
	defer func() { _ = db.Close() }()
	err = db.View(func(tx *bbolt.Tx) error {
		if meta := tx.Bucket([]byte("meta")); meta != nil {
			const indexSize = 8
			if index := meta.Get([]byte("consistent_index")); len(index) == indexSize {
				found.applied = binary.BigEndian.Uint64(index)
			}
		}
		return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			stats := bucket.Stats()
			switch string(name) {
			case "key":
				found.keys = stats.KeyN
			case "members":
				found.members = stats.KeyN
			}
			return nil
		})
	})
	if err != nil {
		return found, damaged(path, err.Error())
	}
	return found, nil
}
