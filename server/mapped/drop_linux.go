// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package mapped

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Drop gives back the pages of the file at path that this process has mapped for reading. The kernel maps what surrounds
// every page that is touched, so that a start maps nearly all of a program or a database. What is needed again comes back
// from the page cache, at a microsecond a page. Private mappings with a page that differs from the file stay, and so does
// a file that was removed or replaced since it was mapped. Trouble of any kind leaves everything as it is.
//
// The caller sees to it that nobody unmaps the file meanwhile: its addresses could belong to something else by then.
//
// It costs tens of microseconds if every mapping is shared, as that of a database, and up to milliseconds with a private one, as
// those of a program, because the kernel then has to count pages.
func Drop(path string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return
	}
	found := mappings("/proc/self/maps", path)
	if slices.ContainsFunc(found, func(m mapping) bool { return !m.shared }) {
		found = mappings("/proc/self/smaps", path)
	}
	for _, m := range found {
		m.drop()
	}
}

// mapping is a range of addresses that a file is mapped to.
type mapping struct {
	from, to uintptr
	writable bool
	// shared says that writing goes to the file, so that no page can differ from it.
	shared bool
	// differs says that a page may not be dropped.
	differs bool
}

// mappings returns those of the file at path that are for reading only. source is maps or smaps; only the latter tells which differ.
func mappings(source, path string) []mapping {
	list, err := os.Open(source)
	if err != nil {
		return nil
	}
	defer func() { _ = list.Close() }()
	var found []mapping
	inside := false
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		if m, file, ok := parseHead(lines.Text()); ok {
			inside = file == path && !m.writable
			if inside {
				found = append(found, m)
			}
		} else if inside {
			found[len(found)-1].note(lines.Text())
		}
	}
	if lines.Err() != nil {
		return nil
	}
	return found
}

// parseHead reads the head line of an entry, such as "00400000-0299a000 r-xp 00000000 fe:00 1234  /usr/bin/stoa". A file
// that was removed has " (deleted)" after its name.
func parseHead(line string) (m mapping, file string, ok bool) {
	const columns = 6
	fields := strings.SplitN(line, " ", columns)
	if len(fields) != columns {
		return mapping{}, "", false
	}
	from, to, isRange := strings.Cut(fields[0], "-")
	start, err := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	rights := fields[1]
	if !isRange || err != nil || err2 != nil || len(rights) != len("rwxp") {
		return mapping{}, "", false
	}
	m = mapping{from: uintptr(start), to: uintptr(end), writable: rights[1] != '-', shared: rights[3] == 's'}
	return m, strings.TrimLeft(fields[columns-1], " "), true
}

// note reads another line of an entry of smaps. A page of a private mapping that was written to is counted as anonymous, or
// as swapped out. Dirty is something else: that the file itself was written a moment ago.
func (m *mapping) note(line string) {
	name, value, _ := strings.Cut(line, ":")
	switch name {
	case "Anonymous", "Swap":
		if strings.TrimSpace(value) != "0 kB" {
			m.differs = true
		}
	}
}

func (m *mapping) drop() {
	if m.differs || m.to <= m.from {
		return
	}
	// The call by number takes addresses; the wrapper wants a slice, which an address that Go did not allocate must not
	// become.
	if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED); errno != 0 {
		return // memory that is not given back
	}
}
