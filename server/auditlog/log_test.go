// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package auditlog_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/server/auditlog"
)

// line is an event with an ID.
func line(id string) string { return strings.Replace(whole, `"a1"`, `"`+id+`"`, 1) + "\n" }

func compress(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read returns the IDs of events, and the texts of errors, without the folder.
func read(t *testing.T, log *auditlog.Log, folder string) []string {
	t.Helper()
	var got []string
	for {
		event, _, err := log.Next()
		switch {
		case errors.Is(err, io.EOF):
			return got
		case err != nil:
			got = append(got, strings.TrimPrefix(err.Error(), folder+"/"))
		default:
			got = append(got, event.AuditID)
		}
	}
}

// TestOpen reads what was rotated, in its order.
func TestOpen(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, content := range map[string]string{
		"audit.log":                                line("now"),
		"audit-2026-11-22T05-00-00.000.log":        line("yesterday"),
		"audit-2026-11-21T05-00-00.000.log.gz":     string(compress(t, line("before")+line("then"))),
		"audit-2026-11-20T05-00-00.000.log":        line("both"),
		"audit-2026-11-20T05-00-00.000.log.gz":     string(compress(t, line("both")))[:30],
		"audit-2026-11-23T05-00-00.000.txt":        line("other extension"),
		"audit-b-2026-11-23T05-00-00.000.log":      line("other log"),
		"audit-2026-11-23.log":                     line("other time"),
		"b-2026-11-23T05-00-00.000.log":            line("other name"),
		"audit-2026-11-19T05-00-00.000.log.gz.gz":  line("other end"),
		"audit-2026-11-19T05-00-00.000.log.backup": line("other end"),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		file    string
		options auditlog.OpenOptions
		want    []string
	}{
		{"audit.log", auditlog.OpenOptions{}, []string{"both", "before", "then", "yesterday", "now"}},
		{"audit.log", auditlog.OpenOptions{Alone: true}, []string{"now"}},
		{"audit.log", auditlog.OpenOptions{From: time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)}, []string{"yesterday", "now"}},
		{"audit-2026-11-21T05-00-00.000.log.gz", auditlog.OpenOptions{}, []string{"before", "then"}},
		{"b-2026-11-23T05-00-00.000.log", auditlog.OpenOptions{}, []string{"other name"}},
	} {
		log, err := auditlog.Open(filepath.Join(folder, tc.file), tc.options)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, read(t, log, folder)); diff != "" {
			t.Errorf("%s %+v (-want +got):\n%s", tc.file, tc.options, diff)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := auditlog.Open(filepath.Join(folder, "x"), auditlog.OpenOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// TestRotation has files rotated, compressed and removed while a log is read.
func TestRotation(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const first, second, third = "audit-2026-11-20T05-00-00.000.log", "audit-2026-11-21T05-00-00.000.log", "audit-2026-11-22T05-00-00.000.log"
	write(first, []byte(line("first")))
	write(second, []byte(line("second")))
	write("audit.log", []byte(line("third")))
	log, err := auditlog.Open(path("audit.log"), auditlog.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	write(second+".gz", compress(t, line("second")))
	if err := errors.Join(os.Remove(path(first)), os.Remove(path(second)), os.Rename(path("audit.log"), path(third))); err != nil {
		t.Fatal(err)
	}
	write("audit.log", []byte(line("fourth")))
	if diff := cmp.Diff([]string{"second", "third"}, read(t, log, folder)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestBadLines goes on after lines that are no events.
func TestBadLines(t *testing.T) {
	t.Parallel()
	const cut = ": the line is cut off, by a crash or because it is being written"
	const no = ": the line is no audit event in JSON"
	long := strings.Replace(line("long"), `"kubectl"`, `"`+strings.Repeat("x", 1<<20)+`"`, 1)
	zipped := compress(t, line("1")+line("2"))
	for name, tc := range map[string]struct {
		data string
		want []string
	}{
		"nothing":                 {"", nil},
		"empty lines":             {"\n\r\n" + line("1") + "\n", []string{"1"}},
		"last cut":                {line("1") + line("2")[:200], []string{"1", "x:2" + cut}},
		"cut and mended":          {line("1")[:200] + "\n" + line("2"), []string{"x:1" + cut, "2"}},
		"without the end of line": {line("1") + strings.TrimSpace(line("2")), []string{"1", "2"}},
		"zeros of a file system":  {line("1") + line("2")[:200] + "\x00\x00\n\x00\x00\x00" + line("3"), []string{"1", "x:2" + cut, "3"}},
		"other lines":             {line("1") + "AUDIT\n" + line("2"), []string{"1", "x:2" + no + ": invalid character 'A' looking for beginning of value", "2"}},
		"long line":               {line("1") + long + line("2"), []string{"1", "long", "2"}},
		"long line, cut":          {line("1") + long[:900_000], []string{"1", "x:2" + cut}},
		"long, and something":     {line("1") + strings.Repeat("x", 1<<20), []string{"1", "x:2" + no}},
		"compressed":              {string(zipped), []string{"1", "2"}},
		"compressed, cut":         {string(zipped[:len(zipped)-10]), []string{"1", "2", "x:3" + cut}},
		"compressed, damaged":     {string(zipped[:len(zipped)-8]) + "12345678", []string{"1", "2", "x:3: gzip: invalid checksum"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, err := auditlog.NewLog("x", strings.NewReader(tc.data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, read(t, log, "")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := auditlog.NewLog("x", strings.NewReader("\x1f\x8bnot")); err == nil || err.Error() != "x: unexpected EOF" {
		t.Errorf("error %v", err)
	}
}

// TestPrepare makes a file fit to be appended to.
func TestPrepare(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
		then    os.FileMode
	}{
		"new":           {"", 0, "", 0o600},
		"own":           {"a\n", 0o600, "a\n", 0o600},
		"group":         {"a\n", 0o640, "a\n", 0o640},
		"everybody":     {"a\n", 0o644, "a\n", 0o640},
		"everybody's":   {"a\n", 0o666, "a\n", 0o660},
		"cut off":       {"a\nb", 0o600, "a\nb\n", 0o600},
		"nothing in it": {"", 0o600, "", 0o600},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "sub", "audit.log")
			if tc.mode != 0 {
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(tc.content), 0o600), os.Chmod(path, tc.mode)); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if err := auditlog.Prepare(t.Context(), path); err != nil {
					t.Fatal(err)
				}
			}
			data, err := os.ReadFile(path)
			if err != nil || string(data) != tc.want {
				t.Errorf("content %q (%v), want %q", data, err, tc.want)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != tc.then {
				t.Errorf("mode %v (%v), want %v", info.Mode(), err, tc.then)
			}
		})
	}
	if err := auditlog.Prepare(klog.NewContext(context.WithoutCancel(t.Context()), klog.Background()), os.DevNull); err != nil {
		t.Error(err)
	}
	folder := t.TempDir()
	if err := auditlog.Prepare(t.Context(), folder); err == nil || err.Error() != "open "+folder+": is a directory" {
		t.Errorf("error %v", err)
	}
}

// TestSorter mixes values, within what a Sorter holds back.
func TestSorter(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ count, spread, size int }{
		"few": {50, 50, 1}, "many": {60_000, 10_000, 100}, "large": {300, 10, 1 << 20}, "none": {0, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []int
			sorter := auditlog.Sorter[int]{Emit: func(i int) error { got = append(got, i); return nil }}
			begin := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
			for first := 0; first < tc.count; first += tc.spread {
				for i := min(first+tc.spread, tc.count) - 1; i >= first; i-- {
					if err := sorter.Add(begin.Add(time.Duration(i)), tc.size, i); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := sorter.Flush(); err != nil {
				t.Fatal(err)
			}
			if len(got) != tc.count || !slices.IsSorted(got) {
				t.Errorf("%d values, want %d, in order: %t", len(got), tc.count, slices.IsSorted(got))
			}
		})
	}
	var got []string
	same := auditlog.Sorter[string]{Emit: func(s string) error { got = append(got, s); return nil }}
	for i := range 5 {
		if err := same.Add(time.Time{}, 1, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := same.Flush(); err != nil || strings.Join(got, "") != "01234" {
		t.Errorf("%q, error %v", got, err)
	}
}
