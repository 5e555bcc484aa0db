// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"google.golang.org/protobuf/proto"

	"github.com/stoa-project/stoa/server/etcd"
)

const (
	// killRoundsVariable sets the rounds of TestKilledFirstStart.
	killRoundsVariable = "STOA_ETCD_KILL_ROUNDS"
	comesUp            = 10 * time.Second
	segmentSize        = 64_000_000
)

// booted returns the folder of a first start that was stopped at once, the frames of its log and the number of those
// without which nothing is committed.
func booted(t *testing.T) (dir string, frames [][]byte, committed int) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "booted")
	s, err := etcd.Start(t.Context(), etcd.Config{Dir: dir, UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	rest, err := os.ReadFile(segment(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	for {
		field := binary.LittleEndian.Uint64(rest)
		if field == 0 {
			break
		}
		length := 8 + field&(1<<56-1) + field>>56&7
		frames = append(frames, rest[:length:length])
		rest = rest[length:]
		if kind := frames[len(frames)-1][9]; kind == 3 && committed == 0 {
			committed = len(frames)
		}
	}
	return dir, frames, committed
}

// emptyDatabase returns a database as bbolt makes it.
func emptyDatabase(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestUnfinishedFirstStart has every beginning of the log of a first start, with every state of the database that can be
// beside it. It starts, or says what is damaged, and never waits.
func TestUnfinishedFirstStart(t *testing.T) {
	t.Parallel()
	dir, frames, committed := booted(t)
	full, err := os.ReadFile(filepath.Join(dir, "member", "snap", "db"))
	if err != nil {
		t.Fatal(err)
	}
	empty, page := emptyDatabase(t), os.Getpagesize()
	databases := map[string][]byte{
		"none": nil, "zero": {}, "one page": empty[:page], "two pages": empty[:2*page], "cut page": empty[:3*page+100],
		"zeros": make([]byte, 4*page), "empty": empty, "grown": append(bytes.Clone(empty), make([]byte, 1<<20)...), "full": full,
	}
	started, refused := 0, 0
	for _, log := range beginnings(frames) {
		for name, database := range databases {
			readable := name == "none" || name == "empty" || name == "grown"
			must := !log.damaged && (name != "full" && log.records < committed || readable && log.records >= committed ||
				name == "full" && log.records == len(frames))
			err := useCopy(t, database, log.content)
			// Another test starts a program, which has the locks of this process until it is executed; etcd, which locks
			// the log anew when it mends it, does not wait.
			for began := time.Now(); err != nil && strings.Contains(err.Error(), "file already locked") && time.Since(began) < comesUp; {
				err = useCopy(t, database, log.content)
			}
			switch {
			case err == nil:
				started++
			case must || !errors.Is(err, etcd.ErrCorrupt) || strings.Contains(err.Error(), "\n"):
				t.Errorf("%s, database %s: %v", log.name, name, err)
			default:
				refused++
			}
		}
	}
	t.Logf("%d records, %d until commit: %d states started, %d were refused", len(frames), committed, started, refused)
}

// useCopy uses a folder with this database and log.
func useCopy(t *testing.T, database, log []byte) error {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	defer func() { _ = os.RemoveAll(dir) }()
	craft(t, dir, database, log)
	return use(t, dir)
}

type beginning struct {
	name    string
	content []byte
	records int
	// damaged is set where neither a kill nor a loss of power can stop: in a first record, and inside a sector.
	damaged bool
}

func beginnings(frames [][]byte) []beginning {
	list := []beginning{{name: "no log"}}
	for n, frame := range frames {
		before := bytes.Join(frames[:n], nil) // not nil, even if it has none
		name := fmt.Sprintf("%d of %d records", n, len(frames))
		list = append(list,
			beginning{name: name, content: before, records: n, damaged: n == 0},
			beginning{name: name + " and a length", content: append(bytes.Clone(before), frame[:8]...), records: n, damaged: n == 0},
			beginning{name: name + " and a half", content: append(bytes.Clone(before), frame[:len(frame)/2]...), records: n, damaged: true},
		)
	}
	return append(list, beginning{name: "all records", content: bytes.Join(frames, nil), records: len(frames)})
}

// craft makes a data folder from the contents of its two files, nil for none.
func craft(t *testing.T, dir string, database, log []byte) {
	t.Helper()
	for _, name := range []string{"snap", "wal.tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, "member", name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write := func(content []byte, name ...string) string {
		path := filepath.Join(append([]string{dir, "member"}, name...)...)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const name = "0000000000000000-0000000000000000.wal"
	write(nil, "wal.tmp", name)
	if database != nil {
		write(database, "snap", "db")
	}
	if log != nil {
		truncate(t, write(log, "wal", name), segmentSize)
		write(nil, "wal", "0.tmp")
	}
}

// startUnlocked waits until the folder is given back: by a start that was given up, or by a helper of another test that has
// inherited the lock until it is executed.
func startUnlocked(ctx context.Context, config etcd.Config) (*etcd.Server, error) {
	for began := time.Now(); ; <-time.After(10 * time.Millisecond) {
		s, err := etcd.Start(ctx, config)
		if !errors.Is(err, etcd.ErrLocked) || time.Since(began) > comesUp {
			return s, err
		}
	}
}

// use starts on dir, writes, stops, starts again and reads.
func use(t *testing.T, dir string) error {
	t.Helper()
	for round := range 2 {
		s, err := startUnlocked(t.Context(), etcd.Config{Dir: dir, UnsafeNoFsync: true, StartTimeout: comesUp})
		if err != nil && round == 0 {
			return err
		}
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			put(t, s.Client(), "key", "value")
		} else if got := get(t, s.Client(), "key"); got != "value" {
			t.Errorf("got %q", got)
		}
		stop(t, s)
	}
	return nil
}

// TestUnfinishedFolder has folders that a first start, or the removal of one, can leave without the files in them.
func TestUnfinishedFolder(t *testing.T) {
	t.Parallel()
	for _, folders := range [][]string{{"member"}, {"member/snap"}, {"member/wal"}, {"member/wal.tmp", "member/snap"}, {"member/snap", "member/wal"}} {
		dir := filepath.Join(t.TempDir(), "data")
		for _, name := range folders {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := use(t, dir); err != nil {
			t.Errorf("%v: %v", folders, err)
		}
	}
}

// TestKilledFirstStart kills first starts at random moments.
func TestKilledFirstStart(t *testing.T) {
	t.Parallel()
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	if value := os.Getenv(killRoundsVariable); value != "" {
		var err error
		if rounds, err = strconv.Atoi(value); err != nil {
			t.Fatal(err)
		}
	}
	for round := range rounds {
		dir := filepath.Join(t.TempDir(), "data")
		command := helper(t, "write", dir)
		var output strings.Builder
		command.Stdout = &output
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		moment := rand.N(120 * time.Millisecond)
		<-time.After(moment)
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = command.Wait()
		s, err := etcd.Start(t.Context(), etcd.Config{Dir: dir, UnsafeNoFsync: true, StartTimeout: comesUp})
		if err != nil {
			t.Fatalf("round %d, killed after %v: %v", round, moment, err)
		}
		lines := strings.SplitAfter(output.String(), "\n")
		var keys []string
		for _, line := range lines[:len(lines)-1] {
			keys = append(keys, strings.TrimSpace(line))
		}
		checkKeys(t, s, keys)
		put(t, s.Client(), "key", "value")
		stop(t, s)
		_ = os.RemoveAll(dir)
	}
}

// neverReady returns a folder whose log is that of another member than its database has, so that nobody is ever elected.
func neverReady(t *testing.T) string {
	t.Helper()
	dir, _, _ := booted(t)
	path := filepath.Join(dir, "member", "wal")
	old, err := wal.OpenForRead(nil, path, &walpb.Snapshot{})
	if err != nil {
		t.Fatal(err)
	}
	content, state, entries, err := old.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	_ = old.Close()
	var metadata etcdserverpb.Metadata
	if err := proto.Unmarshal(content, &metadata); err != nil {
		t.Fatal(err)
	}
	other := metadata.GetNodeID() + 1
	metadata.NodeID = &other
	if content, err = proto.Marshal(&metadata); err != nil {
		t.Fatal(err)
	}
	remove(t, path)
	created, err := wal.Create(nil, path, content)
	if err != nil {
		t.Fatal(err)
	}
	if err := created.Save(state, entries); err != nil {
		t.Fatal(err)
	}
	if err := created.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestNeverReady ends a start that would wait for ever, by its time and by its context, and the folder is given back. On
// a busy machine the time can be over in an earlier step: then it gets more.
func TestNeverReady(t *testing.T) {
	t.Parallel()
	dir := neverReady(t)
	byTime := func(after time.Duration) error {
		_, err := startUnlocked(t.Context(), etcd.Config{Dir: dir, StartTimeout: after})
		return err
	}
	byContext := func(after time.Duration) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		defer time.AfterFunc(after, cancel).Stop()
		_, err := startUnlocked(ctx, etcd.Config{Dir: dir})
		return err
	}
	for want, start := range map[error]func(time.Duration) error{context.DeadlineExceeded: byTime, context.Canceled: byContext} {
		waited, after := false, 500*time.Millisecond
		for ; !waited && after < comesUp; after *= 2 {
			err := start(after)
			t.Log(after, err)
			if !errors.Is(err, want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v, want %v in one line", err, want)
			}
			waited = strings.Contains(err.Error(), "wait for etcd in "+dir)
		}
		if !waited {
			t.Errorf("%v: not waited after %v", want, after)
		}
	}
}
