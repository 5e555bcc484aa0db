// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// rotatedFormat is the time in the names of files that were rotated.
	rotatedFormat = "2006-01-02T15-04-05.000"
	zipped        = ".gz"
	bufferSize    = 64 << 10
	// maxLine is how long an event may be: a server writes none that is longer than a file
	// of --audit-log-maxsize, by default 100 MB.
	maxLine = 128 << 20
	// padding is around a line, and zeros where a file system had a crash.
	padding = "\x00 \t\r\n"
)

// LineError says where an error is.
type LineError struct {
	File string
	Line int
	Err  error
}

// Error implements error.
func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap returns the error without the place.
func (e *LineError) Unwrap() error { return e.Err }

// Log is a file of events, and before it those that were rotated from it, the oldest
// first. Files that are compressed are read as they are.
type Log struct {
	rotated []string
	path    string
	last    *os.File // the one at path, open before any other is listed; nil once it is read

	name  string
	in    *bufio.Reader
	close func() error
	line  int
	long  []byte // a line that is longer than the buffer
}

// OpenOptions say what of a log is read.
type OpenOptions struct {
	// Alone leaves out files that were rotated.
	Alone bool
	// From leaves out files that were rotated before.
	From time.Time
}

// Open opens the log at a path.
func Open(path string, o OpenOptions) (*Log, error) {
	// It comes first: should it be rotated now, it is among the others, and known.
	last, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	l := &Log{path: path, last: last}
	if o.Alone {
		return l, nil
	}
	if l.rotated, err = rotated(last, o.From); err != nil {
		return nil, errors.Join(err, last.Close())
	}
	return l, nil
}

// NewLog reads events from in. name is for errors.
func NewLog(name string, in io.Reader) (*Log, error) {
	l := &Log{}
	return l, l.begin(name, in, func() error { return nil })
}

// rotated lists the files that were rotated from one, the oldest first.
func rotated(from *os.File, after time.Time) ([]string, error) {
	folder, base := filepath.Split(from.Name())
	extension := filepath.Ext(base)
	prefix := strings.TrimSuffix(base, extension) + "-"
	entries, err := os.ReadDir(filepath.Clean(folder))
	if err != nil {
		return nil, err
	}
	self, err := from.Stat()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		middle, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), zipped), prefix)
		if !ok {
			continue
		}
		if middle, ok = strings.CutSuffix(middle, extension); !ok {
			continue
		}
		at, err := time.Parse(rotatedFormat, middle)
		if err != nil || at.Before(after) {
			continue
		}
		if info, err := e.Info(); err != nil || os.SameFile(info, self) {
			continue // gone by now, or rotated by now
		}
		// A file is beside its compressed self while that is being written.
		out = append(out, filepath.Join(folder, strings.TrimSuffix(e.Name(), zipped)))
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Next returns the next event, and the line that it is from, which holds until the next
// call. The error is io.EOF at the end, and a LineError for a line that is none; the call
// after that goes on with the next line.
func (l *Log) Next() (*Event, []byte, error) {
	for {
		if l.in == nil {
			if err := l.nextFile(); err != nil {
				return nil, nil, err
			}
		}
		line, err := l.readLine()
		if line = bytes.Trim(line, padding); len(line) > 0 {
			event, problem := Parse(line)
			if problem != nil {
				problem = &LineError{l.name, l.line, problem}
			}
			if err != nil {
				l.end()
			}
			return event, line, problem
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF):
			l.end()
		case errors.Is(err, io.ErrUnexpectedEOF): // of a compressed file
			l.end()
			return nil, nil, &LineError{l.name, l.line, ErrCut}
		default:
			l.end()
			return nil, nil, &LineError{l.name, l.line, err}
		}
	}
}

// readLine returns the next line. The last one may come with an error.
func (l *Log) readLine() ([]byte, error) {
	l.line++
	line, err := l.in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	if first := bytes.TrimLeft(line, padding); len(first) > 0 && first[0] != '{' {
		return nil, ErrNoEvent // it may have no end
	}
	l.long = l.long[:0]
	for errors.Is(err, bufio.ErrBufferFull) {
		if l.long = append(l.long, line...); len(l.long) > maxLine {
			return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrNoEvent, maxLine)
		}
		line, err = l.in.ReadSlice('\n')
	}
	l.long = append(l.long, line...)
	return l.long, err
}

func (l *Log) nextFile() error {
	if len(l.rotated) > 0 {
		path := l.rotated[0]
		l.rotated = l.rotated[1:]
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			path += zipped
			file, err = os.Open(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return l.nextFile() // too old by now
		}
		if err != nil {
			return err
		}
		return l.begin(path, file, file.Close)
	}
	if l.last == nil {
		return io.EOF
	}
	last := l.last
	l.last = nil
	return l.begin(l.path, last, last.Close)
}

func (l *Log) begin(name string, in io.Reader, closeFile func() error) error {
	buffered := bufio.NewReaderSize(in, bufferSize)
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", name, err), closeFile())
		}
		buffered = bufio.NewReaderSize(unzipped, bufferSize)
	}
	l.name, l.in, l.close, l.line = name, buffered, closeFile, 0
	return nil
}

func (l *Log) end() {
	_ = l.close() // it was only read
	l.in = nil
}

// Close closes the files.
func (l *Log) Close() error {
	if l.in != nil {
		l.end()
	}
	if l.last == nil {
		return nil
	}
	return l.last.Close()
}
