// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package mapped

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestParseHead(t *testing.T) {
	t.Parallel()
	type head struct {
		mapping
		file string
	}
	for line, want := range map[string]head{
		"00400000-0299a000 r-xp 00000000 fe:00 1234                       /usr/bin/stoa": {
			mapping{from: 0x400000, to: 0x299a000}, "/usr/bin/stoa",
		},
		"7fed87c00000-7fefc7c00000 r--s 00000000 fe:00 98     /data/a  b/db (deleted)": {
			mapping{from: 0x7fed87c00000, to: 0x7fefc7c00000, shared: true}, "/data/a  b/db (deleted)",
		},
		"05796000-05873000 rw-p 05396000 fe:00 9978082                    /usr/bin/stoa": {
			mapping{from: 0x5796000, to: 0x5873000, writable: true}, "/usr/bin/stoa",
		},
		"c000000000-c004000000 rw-p 00000000 00:00 0 ": {
			mapping{from: 0xc000000000, to: 0xc004000000, writable: true}, "",
		},
	} {
		m, file, ok := parseHead(line)
		if got := (head{m, file}); !ok || got != want {
			t.Errorf("%s: got %+v, %t, want %+v", line, got, ok, want)
		}
	}
	for _, line := range []string{
		"", "Rss:                8 kB", "VmFlags: rd ex mr mw me sd", "xyz-123 r-xp 0 0 0 /a", "THPeligible:    0",
	} {
		if m, _, ok := parseHead(line); ok {
			t.Errorf("%q is a mapping: %+v", line, m)
		}
	}
}

func TestNote(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"Anonymous:             0 kB": false,
		"Swap:                  0 kB": false,
		"Rss:                  12 kB": false,
		"Anonymous:             4 kB": true,
		"Private_Dirty:         8 kB": false,
		"Shared_Dirty:         16 kB": false,
		"Swap:                  4 kB": true,
	} {
		var m mapping
		m.note(line)
		if m.differs != want {
			t.Errorf("%s: differs is %t, want %t", line, m.differs, want)
		}
	}
}

const size = 1 << 20

// mapFile makes a file and maps it, all pages touched.
func mapFile(t *testing.T, path string, rights, flags int) []byte {
	t.Helper()
	if err := os.WriteFile(path, bytes.Repeat([]byte{'x'}, size), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	content, err := syscall.Mmap(int(file.Fd()), 0, size, rights, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(content) })
	if bytes.Count(content, []byte{'x'}) != size {
		t.Fatal("mapped something else")
	}
	return content
}

// resident returns how many kilobytes of the mappings whose name is that of the file are in memory.
func resident(t *testing.T, name string) int {
	t.Helper()
	list, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = list.Close() }()
	sum, inside := 0, false
	for lines := bufio.NewScanner(list); lines.Scan(); {
		if _, file, ok := parseHead(lines.Text()); ok {
			inside = file == name
		}
		if value, ok := strings.CutPrefix(lines.Text(), "Rss:"); ok && inside {
			kilobytes, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(value, "kB")))
			if err != nil {
				t.Fatal(err)
			}
			sum += kilobytes
		}
	}
	return sum
}

func TestDrop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flags int
		// change is done to the mapping or the file before.
		change func(t *testing.T, path string, content []byte)
		suffix string
		want   int // kilobytes
	}{
		"shared":  {flags: syscall.MAP_SHARED},
		"private": {flags: syscall.MAP_PRIVATE},
		"written": {
			flags: syscall.MAP_PRIVATE,
			change: func(t *testing.T, _ string, content []byte) {
				rights(t, content, syscall.PROT_READ|syscall.PROT_WRITE)
				content[size/2] = 'y'
				rights(t, content, syscall.PROT_READ)
			},
			want: size >> 10,
		},
		"writable": {
			flags: syscall.MAP_PRIVATE,
			change: func(t *testing.T, _ string, content []byte) {
				rights(t, content, syscall.PROT_READ|syscall.PROT_WRITE)
			},
			want: size >> 10,
		},
		"replaced": {
			flags: syscall.MAP_SHARED,
			change: func(t *testing.T, path string, _ []byte) {
				if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(path+".new", path); err != nil {
					t.Fatal(err)
				}
			},
			suffix: " (deleted)",
			want:   size >> 10,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "a file")
			content := mapFile(t, path, syscall.PROT_READ, test.flags)
			other := filepath.Join(t.TempDir(), "other")
			mapFile(t, other, syscall.PROT_READ, syscall.MAP_SHARED)
			if test.change != nil {
				test.change(t, path, content)
			}
			before := bytes.Clone(content)
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(path, link); err != nil {
				t.Fatal(err)
			}
			Drop(link)
			if got := resident(t, path+test.suffix); got != test.want {
				t.Errorf("%d kB are left, want %d", got, test.want)
			}
			if !bytes.Equal(content, before) {
				t.Error("the content changed")
			}
			if got := resident(t, other); got != size>>10 {
				t.Errorf("%d kB of another file are left", got)
			}
		})
	}
}

func rights(t *testing.T, content []byte, rights int) {
	t.Helper()
	if err := syscall.Mprotect(content, rights); err != nil {
		t.Fatal(err)
	}
}

// TestDropSelf drops the pages of the running program, which must live on.
func TestDropSelf(t *testing.T) {
	t.Parallel()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	Drop(path)
	Drop(filepath.Join(t.TempDir(), "missing"))
}

func BenchmarkDrop(b *testing.B) {
	path := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(path, []byte{1}, 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Drop(path)
	}
}
