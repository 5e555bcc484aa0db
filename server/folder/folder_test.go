// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stoa-project/stoa/server/folder"
)

const helperVariable = "STOA_FOLDER_TEST_HELPER"

// TestMain lets the test binary be the other process.
func TestMain(m *testing.M) {
	dir, isHelper := os.LookupEnv(helperVariable)
	if !isHelper {
		os.Exit(m.Run())
	}
	if _, err := folder.Lock(dir); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func lock(t *testing.T, dir string) *folder.Held {
	t.Helper()
	held, err := folder.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.Release() })
	return held
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	held := lock(t, dir)
	_, err := folder.Lock(dir)
	want := fmt.Sprintf("data folder is in use: %s by another server in this process (PID %d); stop it or choose another folder",
		dir, os.Getpid())
	if !errors.Is(err, folder.ErrLocked) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), helperVariable+"="+dir)
	want = fmt.Sprintf("data folder is in use: %s by process %d; stop it or choose another folder\n", dir, os.Getpid())
	if output, err := command.Output(); err == nil || string(output) != want {
		t.Errorf("another process: %v: %s, want %s", err, output, want)
	}
	lock(t, filepath.Join(dir, "inside"))
	for range 2 {
		if err := held.Release(); err != nil {
			t.Error(err)
		}
	}
	lock(t, dir)
	for path, want := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, "lock"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", path, info, err)
		}
	}
}

// TestEndedProcess locks what a process held when it ended.
func TestEndedProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), helperVariable+"="+dir)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	lock(t, dir)
}

// TestForgotten loses the right without releasing it: it must not come back by a garbage collection.
func TestForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := folder.Lock(dir); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		runtime.GC()
	}
	if _, err := folder.Lock(dir); !errors.Is(err, folder.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		make func(t *testing.T, dir string) string
		want error
		text string
	}{
		"file": {
			make: func(t *testing.T, dir string) string { return file(t, filepath.Join(dir, "file")) },
			want: folder.ErrNotFolder, text: "/file is a file",
		},
		"below a file": {
			make: func(t *testing.T, dir string) string {
				return filepath.Join(file(t, filepath.Join(dir, "file")), "data")
			},
			want: folder.ErrNotFolder, text: "/file/data",
		},
		"others write": {
			make: func(t *testing.T, dir string) string {
				if err := os.Chmod(dir, 0o770); err != nil {
					t.Fatal(err)
				}
				return dir
			},
			want: folder.ErrUnsafe, text: "(mode 0770); run: chmod go-w ",
		},
		"lock is a link": {
			make: func(t *testing.T, dir string) string {
				if err := os.Symlink(file(t, filepath.Join(dir, "file")), filepath.Join(dir, "lock")); err != nil {
					t.Fatal(err)
				}
				return dir
			},
			want: folder.ErrNotFolder, text: "open lock file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := folder.Lock(test.make(t, t.TempDir()))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func file(t *testing.T, path string) string {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClassify(t *testing.T) {
	t.Parallel()
	other := errors.New("other")
	for _, test := range []struct{ err, want error }{
		{syscall.ENOSPC, folder.ErrFull}, {syscall.EDQUOT, folder.ErrFull}, {syscall.ENOTDIR, folder.ErrNotFolder},
		{syscall.EROFS, folder.ErrPermission}, {fs.ErrPermission, folder.ErrPermission}, {other, other}, {nil, nil},
	} {
		if got := folder.Classify(test.err); !errors.Is(got, test.want) || !errors.Is(got, test.err) {
			t.Errorf("%v: got %v", test.err, got)
		}
	}
}

func TestCheckAccess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file(t, filepath.Join(dir, "file"))
	for _, path := range []string{dir, filepath.Join(dir, "missing")} {
		if err := folder.CheckAccess(path); err != nil {
			t.Error(err)
		}
	}
	if os.Geteuid() == 0 {
		t.Skip("root may everything; server/etcd tests this as another user")
	}
	if err := os.Chmod(filepath.Join(dir, "file"), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := folder.CheckAccess(dir); !errors.Is(err, folder.ErrPermission) || !strings.Contains(err.Error(), "mode 0400") {
		t.Errorf("got %v", err)
	}
}
