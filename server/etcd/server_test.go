// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/stoa-project/stoa/server/etcd"
)

func start(t testing.TB, config etcd.Config) *etcd.Server {
	t.Helper()
	s, err := etcd.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t testing.TB, s *etcd.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func put(t testing.TB, c *clientv3.Client, key, value string) int64 {
	t.Helper()
	r, err := c.Put(t.Context(), key, value)
	if err != nil {
		t.Fatal(err)
	}
	return r.Header.Revision
}

func get(t testing.TB, c *clientv3.Client, key string) string {
	t.Helper()
	r, err := c.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Kvs) == 0 {
		return ""
	}
	return string(r.Kvs[0].Value)
}

// TestLifeLeavesNothing starts, stops and starts again, and leaves no goroutine and no file.
func TestLifeLeavesNothing(t *testing.T) { //nolint:paralleltest // it looks at all goroutines of the process
	before := goleak.IgnoreCurrent()
	dir := filepath.Join(t.TempDir(), "data")
	for round := range 3 {
		s, err := etcd.Start(t.Context(), etcd.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if round > 0 {
			if got := get(t, s.Client(), "key"); got != fmt.Sprint(round-1) {
				t.Errorf("after restart got %q", got)
			}
		}
		put(t, s.Client(), "key", fmt.Sprint(round))
		watch := s.Client().Watch(t.Context(), "other")
		if err := s.Healthy(t.Context()); err != nil {
			t.Error(err)
		}
		external := dial(t, s)
		if got := get(t, external, "key"); got != fmt.Sprint(round) {
			t.Errorf("over the socket got %q", got)
		}
		_ = external.Close()
		select {
		case <-s.Done():
			t.Error("done before stop")
		default:
		}
		stop(t, s)
		stop(t, s)
		<-s.Done()
		if err := s.Err(); err != nil {
			t.Errorf("after stop: %v", err)
		}
		for range watch {
			continue
		}
		if _, err := s.Client().Get(t.Context(), "key"); err == nil {
			t.Error("get after stop succeeded")
		}
		socket := strings.TrimPrefix(s.Endpoints()[0], "unix://")
		if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("socket after stop: %v", err)
		}
	}
	goleak.VerifyNone(t, before)
}

func dial(t testing.TB, s *etcd.Server) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: s.Endpoints(), DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSeveralAtOnce(t *testing.T) {
	t.Parallel()
	var wait sync.WaitGroup
	for i := range 5 {
		dir := filepath.Join(t.TempDir(), "data")
		wait.Go(func() {
			s, err := etcd.Start(t.Context(), etcd.Config{Dir: dir, UnsafeNoFsync: true})
			if err != nil {
				t.Error(err)
				return
			}
			for n := range 100 {
				if _, err := s.Client().Put(t.Context(), fmt.Sprintf("key/%d", n), fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			}
			r, err := s.Client().Get(t.Context(), "key/", clientv3.WithPrefix())
			if err != nil || r.Count != 100 || string(r.Kvs[7].Value) != fmt.Sprint(i) {
				t.Errorf("server %d: %v %v", i, r, err)
			}
			stop(t, s)
		})
	}
	wait.Wait()
}

func TestModes(t *testing.T) {
	t.Parallel()
	s := start(t, etcd.Config{Dir: filepath.Join(t.TempDir(), "a", "b"), UnsafeNoFsync: true})
	put(t, s.Client(), "key", "value")
	err := filepath.Walk(s.Dir(), func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 && info.Mode().Type() != os.ModeSocket {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLongPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 40), "with space %41 ?&#")
	s, err := etcd.Start(t.Context(), etcd.Config{Dir: dir, UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s.Client(), "key", "value")
	external := dial(t, s)
	if got := get(t, external, "key"); got != "value" {
		t.Errorf("got %q", got)
	}
	_ = external.Close()
	private := filepath.Dir(strings.TrimPrefix(s.Endpoints()[0], "unix://"))
	if info, err := os.Stat(private); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder of the socket: %v %v", info, err)
	}
	stop(t, s)
	if _, err := os.Stat(private); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder of the socket after stop: %v", err)
	}
}

func TestOddPath(t *testing.T) {
	t.Parallel()
	s := start(t, etcd.Config{Dir: filepath.Join(t.TempDir(), "a b%41?&#"), UnsafeNoFsync: true})
	put(t, s.Client(), "key", "value")
}

func TestStopAfterTimeout(t *testing.T) {
	t.Parallel()
	s, err := etcd.Start(t.Context(), etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Stop(ctx)
	stop(t, s)
}

func TestCanceledStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := etcd.Start(ctx, etcd.Config{Dir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// TestStartTimeout gives up starts, some in every step, and finds the folder free soon after.
func TestStartTimeout(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	_, err := etcd.Start(t.Context(), etcd.Config{Dir: dir, StartTimeout: time.Nanosecond})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("got %v", err)
	}
	deadline := time.Now().Add(20 * time.Second)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for timeout := time.Millisecond; timeout <= 16*time.Millisecond && time.Now().Before(deadline); {
		s, err := etcd.Start(t.Context(), etcd.Config{Dir: dir, StartTimeout: timeout})
		switch {
		case errors.Is(err, etcd.ErrLocked): // the start before is being closed
			<-poll.C
			continue
		case err == nil:
			stop(t, s)
		case !errors.Is(err, context.DeadlineExceeded):
			t.Fatal(err)
		}
		timeout += 3 * time.Millisecond
	}
	for ; ; <-poll.C {
		s, err := etcd.Start(t.Context(), etcd.Config{Dir: dir})
		if err == nil {
			stop(t, s)
			return
		}
		if !errors.Is(err, etcd.ErrLocked) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestRestartDuringReplay has more log entries to apply at a start than etcd keeps in memory, and elects itself meanwhile.
func TestRestartDuringReplay(t *testing.T) {
	t.Parallel()
	rounds := 30
	if testing.Short() {
		rounds = 10
	}
	dir := filepath.Join(t.TempDir(), "data")
	for round := range rounds {
		s, err := etcd.Start(t.Context(), etcd.Config{Dir: dir, UnsafeNoFsync: true})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for n := range 60 {
			put(t, s.Client(), fmt.Sprint(n), fmt.Sprint(round))
		}
		stop(t, s)
	}
}
