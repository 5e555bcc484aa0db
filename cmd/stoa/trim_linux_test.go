// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestParseMapping(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]mapping{
		"00400000-0299a000 r-xp 00000000 fe:00 1234                       /usr/bin/stoa": {0x400000, 0x299a000, true},
		"7fed87c00000-7fefc7c00000 r--s 00000000 fe:00 98     /data/etcd/member/snap/db": {0x7fed87c00000, 0x7fefc7c00000, true},
		"05796000-05873000 rw-p 05396000 fe:00 9978082                    /usr/bin/stoa": {0x5796000, 0x5873000, false},
		"c000000000-c004000000 rw-p 00000000 00:00 0":                                    {0xc000000000, 0xc004000000, false},
		"7ffd0000-7ffe0000 r-xp 00000000 00:00 0                          [vdso]":        {0x7ffd0000, 0x7ffe0000, false},
	} {
		got, ok := parseMapping(line)
		if !ok || got != want {
			t.Errorf("%s: got %+v, %t, want %+v", line, got, ok, want)
		}
	}
	for _, line := range []string{"", "Rss:                8 kB", "VmFlags: rd ex mr mw me sd", "xyz-123 r-xp 0 0 0 /a"} {
		if got, ok := parseMapping(line); ok {
			t.Errorf("%q is a mapping: %+v", line, got)
		}
	}
}

// TestWrittenPagesStay checks what makes trim safe: a mapping with a page that
// differs from its file is not dropped.
func TestWrittenPagesStay(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"Anonymous:             0 kB": true,
		"Private_Dirty:         0 kB": true,
		"Rss:                  12 kB": true,
		"Anonymous:             4 kB": false,
		"Private_Dirty:         8 kB": false,
		"Shared_Dirty:         16 kB": false,
		"Locked:                4 kB": false,
		"Swap:                  4 kB": false,
	} {
		m := mapping{droppable: true}
		m.note(line)
		if m.droppable != want {
			t.Errorf("%s: droppable is %t, want %t", line, m.droppable, want)
		}
	}
}

// TestTrim runs it on this process, which must live on.
func TestTrim(t *testing.T) {
	t.Parallel()
	trim()
	tuneGC()
}
