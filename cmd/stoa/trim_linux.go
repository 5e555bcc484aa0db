// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// trim gives back the pages of the binary and of the database file that only the
// start needed. The kernel maps what surrounds every page that is touched, and
// initialisation touches nearly all of the binary once. What is needed again comes
// back from the page cache, at a microsecond a page.
//
// Only mappings that the process never wrote to are dropped; for these the file
// has the same bytes. Trouble of any kind leaves everything as it is.
func trim() {
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer smaps.Close()
	var at mapping
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		if next, ok := parseMapping(lines.Text()); ok {
			at.drop()
			at = next
			continue
		}
		at.note(lines.Text())
	}
	at.drop()
}

// mapping is a range of addresses that a file is mapped to.
type mapping struct {
	from, to uintptr
	// droppable says that it is a file, and that nothing of it was written to.
	droppable bool
}

// parseMapping reads the head line of an entry of smaps, such as
// "00400000-0299a000 r-xp 00000000 fe:00 1234  /usr/bin/stoa".
func parseMapping(line string) (mapping, bool) {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return mapping{}, false
	}
	from, to, ok := strings.Cut(fields[0], "-")
	start, err := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	if !ok || err != nil || err2 != nil {
		return mapping{}, false
	}
	isFile := len(fields) > 5 && strings.HasPrefix(fields[5], "/")
	readOnly := len(fields[1]) > 1 && fields[1][1] == '-'
	return mapping{from: uintptr(start), to: uintptr(end), droppable: isFile && readOnly}, true
}

// note reads another line of an entry: pages that differ from the file may not be
// dropped.
func (m *mapping) note(line string) {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return
	}
	switch name {
	case "Anonymous", "Private_Dirty", "Shared_Dirty", "Swap", "Locked":
		if strings.TrimSpace(value) != "0 kB" {
			m.droppable = false
		}
	}
}

func (m *mapping) drop() {
	if !m.droppable || m.to <= m.from {
		return
	}
	// The call by number takes addresses; the wrapper wants a slice, which an
	// address that Go did not allocate must not become.
	if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED); errno != 0 {
		return // memory that is not given back
	}
}
