// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package userfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apiserver/pkg/authentication/user"
)

const (
	// MaxSize is how long a file may be, in bytes.
	MaxSize = 4 << 20
	// maxColumn is how long a value may be. More does not fit into a request.
	maxColumn = 8 << 10
	// columns is how many values a line has at least.
	columns = 3
	// othersMode are the permissions of everybody but the owner.
	othersMode = 0o077
)

// Entry is one user of a file.
type Entry struct {
	// Line is where the entry begins, from 1.
	Line int
	// Secret is the first column. It may be empty.
	Secret string
	// User is who has the secret.
	User user.DefaultInfo
}

// Read returns what is in a file, which must be a short one.
func Read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%s: longer than %d bytes", path, MaxSize)
	}
	return data, nil
}

// Exposed returns the permissions of a file if others than its owner have any.
func Exposed(path string) (os.FileMode, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false // who reads it says so
	}
	mode := info.Mode().Perm()
	return mode, mode&othersMode != 0
}

// Parse returns the entries of a file in their order. name is that of the file, for
// errors.
func Parse(name string, data []byte) ([]Entry, error) {
	// Editors of Windows put a byte order mark first, which would be part of a secret.
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	reader.FieldsPerRecord = -1
	var out []Entry
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if problem, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, lineError(name, problem.Line, problem.Err)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := reader.FieldPos(0)
		entry, err := parse(record)
		if err != nil {
			return nil, lineError(name, line, err)
		}
		entry.Line = line
		out = append(out, entry)
	}
}

func lineError(name string, line int, err error) error {
	return fmt.Errorf("%s: line %d: %w", name, line, err)
}

func parse(record []string) (Entry, error) {
	if len(record) < columns {
		return Entry{}, fmt.Errorf("must have at least %d columns (secret, user name, user UID), has %d", columns, len(record))
	}
	for i, value := range record {
		switch {
		case len(value) > maxColumn:
			return Entry{}, fmt.Errorf("column %d is longer than %d bytes", i+1, maxColumn)
		case !utf8.ValidString(value):
			return Entry{}, fmt.Errorf("column %d is not UTF-8", i+1)
		case strings.ContainsFunc(value, unicode.IsControl):
			return Entry{}, fmt.Errorf("column %d has a control character", i+1)
		}
	}
	if record[1] == "" {
		return Entry{}, errors.New("the user name, in column 2, is empty")
	}
	entry := Entry{Secret: record[0], User: user.DefaultInfo{Name: record[1], UID: record[2]}}
	if len(record) > columns {
		for group := range strings.SplitSeq(record[columns], ",") {
			if group != "" {
				entry.User.Groups = append(entry.User.Groups, group)
			}
		}
	}
	return entry, nil
}
