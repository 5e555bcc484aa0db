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
//   - a database with a broken page panics in a goroutine of bbolt.
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
	applied, err := walkDatabase(database)
	switch {
	case err != nil:
		return err
	case applied > 0 && !hasLog:
		return damaged(logPath(dir), "the write-ahead log is missing")
	case applied > log.last:
		return damaged(logPath(dir), fmt.Sprintf("the write-ahead log ends at entry %d, the database has %d",
			log.last, applied))
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
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open database: %w", folder.Classify(err))
	}
	defer func() { _ = file.Close() }()

	needed := int64(0)
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
	switch {
	case needed == 0:
		return damaged(path, "neither of its headers is valid")
	case size < needed:
		return damaged(path, fmt.Sprintf("the file is cut off at %d of %d bytes", size, needed))
	default:
		return nil
	}
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

// walkDatabase visits every page of the database that is in use and returns the index of the last log entry that
// it has applied, 0 for none, as after a first start that was killed. bbolt does the same walk when it opens the file for writing, but in a goroutine
// whose panic ends the process; here a panic is an error.
func walkDatabase(path string) (applied uint64, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = damaged(path, fmt.Sprint(r))
		}
	}()
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{ReadOnly: true, Timeout: openTimeout})
	if err != nil {
		return 0, damaged(path, err.Error())
	}
	defer func() { _ = db.Close() }()
	err = db.View(func(tx *bbolt.Tx) error {
		if meta := tx.Bucket([]byte("meta")); meta != nil {
			const indexSize = 8
			if index := meta.Get([]byte("consistent_index")); len(index) == indexSize {
				applied = binary.BigEndian.Uint64(index)
			}
		}
		return tx.ForEach(func(_ []byte, bucket *bbolt.Bucket) error {
			_ = bucket.Stats()
			return nil
		})
	})
	if err != nil {
		return 0, damaged(path, err.Error())
	}
	return applied, nil
}
