// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/stoa-project/stoa/server/etcd"
)

const smallQuota = 2 << 20

// fillUp puts until the database refuses: keys n for which name(n) is a new one make it really full, others leave it with
// old revisions.
func fillUp(t *testing.T, s *etcd.Server, name func(n int) string) {
	t.Helper()
	value := strings.Repeat("x", 50<<10)
	var err error
	// The size is counted when a batch is written, every 100 ms.
	for n := 0; n < 20_000 && err == nil; n++ {
		_, err = s.Client().Put(t.Context(), name(n), value)
	}
	checkFull(t, s, err)
	if got := get(t, s.Client(), "0"); got != value {
		t.Error("cannot read with a full database")
	}
}

// checkFull wants err to be that of a write to a full database.
func checkFull(t *testing.T, s *etcd.Server, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "database space exceeded") {
		t.Errorf("put: %v", err)
	}
	const advice = "reached its quota of 2097152 bytes; it can be read, and objects can be deleted; restart the server to " +
		"defragment it, and if it stays full, with a larger --quota-backend-bytes"
	if err := s.Healthy(t.Context()); !errors.Is(err, etcd.ErrDiskFull) || !strings.Contains(err.Error(), advice) {
		t.Errorf("healthy: %v", err)
	}
	if err := s.Err(); err != nil {
		t.Errorf("ended: %v", err)
	}
}

func TestFullDatabase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	small := etcd.Config{Dir: dir, UnsafeNoFsync: true, QuotaBackendBytes: smallQuota}
	s, err := etcd.Start(t.Context(), small)
	if err != nil {
		t.Fatal(err)
	}
	fillUp(t, s, func(n int) string { return fmt.Sprint(n) })
	stop(t, s)

	// The same quota: still full, still readable, and deletes work.
	if s, err = etcd.Start(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	_, err = s.Client().Put(t.Context(), "another", "value")
	checkFull(t, s, err)
	if got := get(t, s.Client(), "1"); len(got) != 50<<10 {
		t.Errorf("read %d bytes", len(got))
	}
	if _, err := s.Client().Delete(t.Context(), "1"); err != nil {
		t.Error(err)
	}
	stop(t, s)

	s = start(t, etcd.Config{Dir: dir, UnsafeNoFsync: true, QuotaBackendBytes: 1 << 30})
	if err := s.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
	put(t, s.Client(), "another", "value")
	for n := range 10 {
		if _, err := s.Client().Delete(t.Context(), fmt.Sprint(n)); err != nil {
			t.Error(err)
		}
	}
	if got := get(t, s.Client(), "11"); len(got) != 50<<10 {
		t.Errorf("read %d bytes", len(got))
	}
}

// TestFullOfHoles has a database that a compaction made small again, but not its file: a start with the same quota is
// enough.
func TestFullOfHoles(t *testing.T) {
	t.Parallel()
	small := etcd.Config{Dir: filepath.Join(t.TempDir(), "data"), UnsafeNoFsync: true, QuotaBackendBytes: smallQuota}
	s, err := etcd.Start(t.Context(), small)
	if err != nil {
		t.Fatal(err)
	}
	fillUp(t, s, func(n int) string { return fmt.Sprint(n % 2) })
	r, err := s.Client().Get(t.Context(), "0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client().Compact(t.Context(), r.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	_, err = s.Client().Put(t.Context(), "another", "value")
	checkFull(t, s, err)
	stop(t, s)

	s = start(t, small)
	put(t, s.Client(), "another", "value")
	if err := s.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
}
