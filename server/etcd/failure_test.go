// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/stoa-project/stoa/server/etcd"
)

// filled returns a folder with data that a server wrote and closed.
func filled(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	s, err := etcd.Start(t.Context(), etcd.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		put(t, s.Client(), fmt.Sprintf("key/%d", n), strings.Repeat("value", 100))
	}
	stop(t, s)
	return dir
}

// refused starts on dir in a process of its own, because a start that etcd gave up keeps files open, and checks that it
// ends with a one-line error that matches want and has all of the texts.
func refused(t *testing.T, dir string, want error, texts ...string) {
	t.Helper()
	command := helper(t, "start", dir)
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("ended with %v, not with exit code 1:\n%s", err, output)
	}
	line := strings.TrimSpace(string(output))
	t.Log(line)
	if strings.Contains(line, "\n") {
		t.Errorf("more than one line:\n%s", line)
	}
	for _, text := range append(texts, want.Error(), dir) {
		if !strings.Contains(line, text) {
			t.Errorf("%q is not in: %s", text, line)
		}
	}
}

func segment(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "member", "wal", "0*.wal"))
	if err != nil || len(found) == 0 {
		t.Fatalf("log segments: %v %v", found, err)
	}
	return found[0]
}

func overwrite(t *testing.T, path string, offset int64, content []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.WriteAt(content, offset); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedData(t *testing.T) {
	t.Parallel()
	database := func(dir string) string { return filepath.Join(dir, "member", "snap", "db") }
	garbage := bytes.Repeat([]byte{0xA5, 0x13, 0x77, 0x42}, 64<<10)
	const wayOut = "restore the folder from a snapshot"
	for name, test := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   error
		texts  []string
	}{
		"log garbage in the middle": {
			damage: func(t *testing.T, dir string) { overwrite(t, segment(t, dir), 4096, garbage[:512]) },
			want:   etcd.ErrCorrupt, texts: []string{"member/wal", wayOut},
		},
		"log garbage at the front": {
			damage: func(t *testing.T, dir string) { overwrite(t, segment(t, dir), 0, garbage[:64]) },
			want:   etcd.ErrCorrupt, texts: []string{wayOut},
		},
		"log empty": {
			damage: func(t *testing.T, dir string) { truncate(t, segment(t, dir), 0) },
			want:   etcd.ErrCorrupt, texts: []string{wayOut},
		},
		"log with a hole": {
			damage: func(t *testing.T, dir string) { overwrite(t, segment(t, dir), 60<<10, make([]byte, 1<<10)) },
			want:   etcd.ErrCorrupt, texts: []string{"member/wal", "the write-ahead log ends at entry", wayOut},
		},
		"log cut": {
			damage: func(t *testing.T, dir string) { truncate(t, segment(t, dir), 60<<10) },
			want:   etcd.ErrCorrupt, texts: []string{"member/wal", wayOut},
		},
		"log missing": {
			damage: func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "member", "wal")) },
			want:   etcd.ErrCorrupt, texts: []string{"member/wal", wayOut},
		},
		"database cut": {
			damage: func(t *testing.T, dir string) { truncate(t, database(dir), 40<<10) },
			want:   etcd.ErrCorrupt, texts: []string{"member/snap/db", "cut off", wayOut},
		},
		"database empty": {
			damage: func(t *testing.T, dir string) { truncate(t, database(dir), 0) },
			want:   etcd.ErrCorrupt, texts: []string{"member/snap/db", "empty", wayOut},
		},
		"database headers": {
			damage: func(t *testing.T, dir string) { overwrite(t, database(dir), 0, garbage[:8<<10]) },
			want:   etcd.ErrCorrupt, texts: []string{"member/snap/db", wayOut},
		},
		"database pages": {
			damage: func(t *testing.T, dir string) {
				info, err := os.Stat(database(dir))
				if err != nil {
					t.Fatal(err)
				}
				for offset := int64(8 << 10); offset < info.Size(); offset += int64(len(garbage)) {
					overwrite(t, database(dir), offset, garbage[:min(int64(len(garbage)), info.Size()-offset)])
				}
			},
			want: etcd.ErrCorrupt, texts: []string{wayOut},
		},
		"newer version": {
			damage: func(t *testing.T, dir string) {
				setMeta(t, database(dir), "storageVersion", []byte("3.99.0"))
			},
			want: etcd.ErrNewerVersion, texts: []string{"3.99"},
		},
		"newer cluster version": {
			damage: func(t *testing.T, dir string) {
				setBucket(t, database(dir), "cluster", "clusterVersion", []byte("3.99.0"))
			},
			want: etcd.ErrNewerVersion, texts: []string{"3.99"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filled(t)
			test.damage(t, dir)
			before := contents(t, dir)
			refused(t, dir, test.want, test.texts...)
			if after := contents(t, dir); after != before {
				t.Errorf("files changed from\n%s\nto\n%s", before, after)
			}
		})
	}
}

// contents lists the files below dir with their sizes.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.WalkDir(filepath.Join(dir, "member"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && !entry.IsDir() && filepath.Ext(path) != ".tmp" {
			fmt.Fprintln(&list, path, info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func setMeta(t *testing.T, path, key string, value []byte) { setBucket(t, path, "meta", key, value) }

func setBucket(t *testing.T, path, bucket, key string, value []byte) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put([]byte(key), value) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestTornLog cuts the log inside its last record, which etcd had not acknowledged, as a power failure can.
func TestTornLog(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	content, err := os.ReadFile(segment(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	end := int64(len(bytes.TrimRight(content, "\x00"))+7) / 8 * 8
	overwrite(t, segment(t, dir), end, []byte{0xE8, 3, 0, 0, 0, 0, 0, 0, 8, 2, 16, 0xA5, 0xA5})
	s := start(t, etcd.Config{Dir: dir})
	if got := get(t, s.Client(), "key/199"); len(got) != 500 {
		t.Errorf("got %d bytes", len(got))
	}
	put(t, s.Client(), "another", "value")
	if got := get(t, s.Client(), "another"); got != "value" {
		t.Errorf("got %q", got)
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, etcd.Config{Dir: dir, UnsafeNoFsync: true})
	put(t, s.Client(), "key", "value")

	refused(t, dir, etcd.ErrLocked, fmt.Sprintf("process %d", os.Getpid()))
	_, err := etcd.Start(t.Context(), etcd.Config{Dir: dir})
	if !errors.Is(err, etcd.ErrLocked) || !strings.Contains(err.Error(), "in this process") {
		t.Errorf("got %v", err)
	}
	put(t, s.Client(), "key", "still there")

	// Without the file of the lock, that of the database still tells.
	remove(t, filepath.Join(dir, "lock"))
	refused(t, dir, etcd.ErrLocked, "member/snap/db is open in another process")
	put(t, s.Client(), "key", "still there")
}

func TestBadFolder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		make func(t *testing.T, dir string) string
		want error
		text string
	}{
		"file": {
			make: func(t *testing.T, dir string) string {
				path := filepath.Join(dir, "file")
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			},
			want: etcd.ErrNotFolder, text: "file is a file",
		},
		"below a file": {
			make: func(t *testing.T, dir string) string {
				path := filepath.Join(dir, "file")
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				return filepath.Join(path, "data")
			},
			want: etcd.ErrNotFolder, text: "data",
		},
		"others write": {
			make: func(t *testing.T, dir string) string {
				if err := os.Chmod(dir, 0o777); err != nil {
					t.Fatal(err)
				}
				return dir
			},
			want: etcd.ErrUnsafe, text: "chmod go-w",
		},
		"unset": {
			make: func(*testing.T, string) string { return "" },
			want: etcd.ErrConfig, text: "Dir must be set",
		},
		"socket is a file": {
			make: func(t *testing.T, dir string) string {
				if err := os.WriteFile(filepath.Join(dir, "etcd.sock"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				return dir
			},
			want: etcd.ErrUnsafe, text: "etcd.sock",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := etcd.Start(t.Context(), etcd.Config{Dir: test.make(t, t.TempDir())})
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for field, config := range map[string]etcd.Config{
		"QuotaBackendBytes": {Dir: "x", QuotaBackendBytes: -1},
		"StartTimeout":      {Dir: "x", StartTimeout: -time.Second},
	} {
		_, err := etcd.Start(t.Context(), config)
		if !errors.Is(err, etcd.ErrConfig) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

// TestPermission starts as a user who may not write; as root it changes to one, since root may everything.
func TestPermission(t *testing.T) {
	t.Parallel()
	t.Run("folder of root", func(t *testing.T) {
		t.Parallel()
		dir := filled(t)
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		refusedToOther(t, dir, "permission denied")
	})
	t.Run("parent not writable", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "parent")
		if err := os.Mkdir(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		refusedToOther(t, filepath.Join(dir, "data"), "create data folder")
	})
	t.Run("file of root", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			t.Skip("needs root")
		}
		dir := filled(t)
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && filepath.Base(path) != "db" {
				err = os.Chown(path, otherUser, otherUser)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		refusedToOther(t, dir, "member/snap/db (mode 0600, owner 0")
	})
}

// TestCrashKeepsLock starts again, in the same process, on a folder that etcd gave up. Nothing refers to the first start
// any more, but etcd may still have files open.
func TestCrashKeepsLock(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	setBucket(t, filepath.Join(dir, "member", "snap", "db"), "cluster", "clusterVersion", []byte("3.99.0"))
	output, err := helper(t, "twice", dir).CombinedOutput()
	if err == nil || !strings.HasPrefix(string(output), etcd.ErrLocked.Error()) {
		t.Errorf("got %v: %s", err, output)
	}
}

// TestDiskFull lets writes fail in the middle, by a limit on the size of files.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	command := helper(t, "limited", dir)
	var output strings.Builder
	command.Stderr = &output
	acknowledged, err := command.Output()
	line := strings.TrimSpace(output.String())
	t.Log(line)
	if err == nil || strings.Contains(line, "\n") || !strings.HasPrefix(line, etcd.ErrDiskFull.Error()) ||
		!strings.Contains(line, dir) {
		t.Errorf("got %v: %s", err, line)
	}
	s := start(t, etcd.Config{Dir: dir})
	lines := strings.Fields(string(acknowledged))
	if len(lines) < 20 {
		t.Errorf("only %d writes", len(lines))
	}
	for _, key := range lines {
		if got := get(t, s.Client(), key); len(got) != 1<<20 {
			t.Errorf("write %s is lost", key)
		}
	}
}
