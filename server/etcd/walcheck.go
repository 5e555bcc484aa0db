// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/stoa-project/stoa/server/folder"
)

// A segment of etcd's write-ahead log is a row of frames: eight bytes of length, a record, padding to eight bytes. It
// starts with a checksum record and ends with zeros, because its space is allocated in advance.
const (
	frameHeaderSize = 8
	lengthBits      = 56
	paddingMask     = 0x7
	largestHeader   = 4096

	entryRecord    = 2
	checksumRecord = 4
)

// log is what checkStored needs to know about the write-ahead log.
type log struct {
	segments int
	// last is the index of the last entry. Nothing that the database has applied can be above it.
	last uint64
}

// readLog looks at the first record of each segment and at all lengths of the last one. Whether the records are intact is
// checked by etcd, which reads them all. But it cannot tell the end of the log from a hole in it, and it mends a log
// whose first record is broken by cutting off everything.
func readLog(dir string) (log, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return log{}, nil
	}
	if err != nil {
		return log{}, fmt.Errorf("open write-ahead log: %w", folder.Classify(err))
	}
	var l log
	for _, entry := range entries { // sorted, so that the newest is last
		if !strings.HasSuffix(entry.Name(), ".wal") {
			continue
		}
		l.segments++
		if l.last, err = readSegment(filepath.Join(dir, entry.Name())); err != nil {
			return log{}, err
		}
	}
	return l, nil
}

func readSegment(path string) (last uint64, err error) {
	// Sequence number and index of the first entry, which may not have been written yet.
	var sequence, first uint64
	if _, err := fmt.Sscanf(filepath.Base(path), "%016x-%016x.wal", &sequence, &first); err != nil {
		return 0, damaged(path, "the name is not that of a segment of the log")
	}
	file, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("open write-ahead log: %w", folder.Classify(err))
	}
	defer func() { _ = file.Close() }()

	record, next, ok := readFrame(file, 0, largestHeader)
	if !ok || record.GetType() != checksumRecord {
		return 0, damaged(path, "the first record of the log is broken")
	}
	var offsets []int64
	for {
		kind, after, ok := peekFrame(file, next)
		if !ok {
			break
		}
		if kind == entryRecord {
			offsets = append(offsets, next)
		}
		next = after
	}
	// The last one may have been torn by a crash. It was not acknowledged then, and etcd cuts it off.
	for _, offset := range slices.Backward(offsets) {
		if index, ok := entryIndex(file, offset); ok {
			return index, nil
		}
	}
	return max(first, 1) - 1, nil
}

func entryIndex(file io.ReaderAt, offset int64) (index uint64, ok bool) {
	const largestEntry = 1 << 30
	record, _, ok := readFrame(file, offset, largestEntry)
	if !ok {
		return 0, false
	}
	var entry raftpb.Entry
	if err := proto.Unmarshal(record.GetData(), &entry); err != nil {
		return 0, false
	}
	return entry.GetIndex(), true
}

// frame returns the length of the record at offset and the offset of the next. It is not ok at the end of the log.
func frame(file io.ReaderAt, offset int64) (length, next int64, ok bool) {
	var header [frameHeaderSize]byte
	if _, err := file.ReadAt(header[:], offset); err != nil {
		return 0, 0, false
	}
	field := binary.LittleEndian.Uint64(header[:])
	length = int64(field & (1<<lengthBits - 1))
	padding := int64(0)
	if field>>63 == 1 {
		padding = int64(field>>lengthBits) & paddingMask
	}
	return length, offset + frameHeaderSize + length + padding, length > 0
}

// peekFrame returns the type of a record, which is its first field, without reading all of it.
func peekFrame(file io.ReaderAt, offset int64) (kind byte, next int64, ok bool) {
	_, next, ok = frame(file, offset)
	if !ok {
		return 0, 0, false
	}
	var start [2]byte
	if _, err := file.ReadAt(start[:], offset+frameHeaderSize); err != nil {
		return 0, 0, false
	}
	// A record that was cut off is not in the log: look whether its last byte exists.
	var end [1]byte
	if _, err := file.ReadAt(end[:], next-1); err != nil {
		return 0, 0, false
	}
	const typeField = 1 << 3
	if start[0] != typeField {
		return 0, 0, false
	}
	return start[1], next, true
}

func readFrame(file io.ReaderAt, offset, limit int64) (record *walpb.Record, next int64, ok bool) {
	length, next, ok := frame(file, offset)
	if !ok || length > limit {
		return nil, 0, false
	}
	content := make([]byte, length)
	if _, err := file.ReadAt(content, offset+frameHeaderSize); err != nil {
		return nil, 0, false
	}
	record = new(walpb.Record)
	if proto.Unmarshal(content, record) != nil {
		return nil, 0, false
	}
	return record, next, true
}
