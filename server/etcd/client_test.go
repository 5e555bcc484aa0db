// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/feature"

	"github.com/stoa-project/stoa/server/etcd"
)

// TestSameErrors compares the client in the process with one over the socket: the storage layer of k8s.io/apiserver
// compares errors by identity and by code.
func TestSameErrors(t *testing.T) {
	t.Parallel()
	s := start(t, etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	external := dial(t, s)
	t.Cleanup(func() { _ = external.Close() })
	put(t, s.Client(), "key", "old")
	revision := put(t, s.Client(), "key", "new")
	if _, err := s.Client().Compact(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	t.Cleanup(cancel)

	for name, test := range map[string]struct {
		call func(c *clientv3.Client) error
		want error
	}{
		"compacted get": {
			call: func(c *clientv3.Client) error {
				_, err := c.Get(t.Context(), "key", clientv3.WithRev(revision-1))
				return err
			},
			want: rpctypes.ErrCompacted,
		},
		"future get": {
			call: func(c *clientv3.Client) error {
				_, err := c.Get(t.Context(), "key", clientv3.WithRev(revision+100))
				return err
			},
			want: rpctypes.ErrFutureRev,
		},
		"compacted twice": {
			call: func(c *clientv3.Client) error {
				_, err := c.Compact(t.Context(), revision)
				return err
			},
			want: rpctypes.ErrCompacted,
		},
		"future compaction": {
			call: func(c *clientv3.Client) error {
				_, err := c.Compact(t.Context(), revision+100)
				return err
			},
			want: rpctypes.ErrFutureRev,
		},
		"lease of a put": {
			call: func(c *clientv3.Client) error {
				_, err := c.Put(t.Context(), "key", "value", clientv3.WithLease(12345))
				return err
			},
			want: rpctypes.ErrLeaseNotFound,
		},
		"lease": {
			call: func(c *clientv3.Client) error {
				_, err := c.Revoke(t.Context(), 12345)
				return err
			},
			want: rpctypes.ErrLeaseNotFound,
		},
		"empty key": {
			call: func(c *clientv3.Client) error {
				_, err := c.Put(t.Context(), "", "value")
				return err
			},
			want: rpctypes.ErrEmptyKey,
		},
		"too large": {
			call: func(c *clientv3.Client) error {
				_, err := c.Put(t.Context(), "key", strings.Repeat("x", 1600<<10))
				return err
			},
			want: rpctypes.ErrRequestTooLarge,
		},
		"duplicate key": {
			call: func(c *clientv3.Client) error {
				_, err := c.Txn(t.Context()).Then(clientv3.OpPut("a", "1"), clientv3.OpPut("a", "2")).Commit()
				return err
			},
			want: rpctypes.ErrDuplicateKey,
		},
		"too many operations": {
			call: func(c *clientv3.Client) error {
				_, err := c.Txn(t.Context()).Then(manyPuts(200)...).Commit()
				return err
			},
			want: rpctypes.ErrTooManyOps,
		},
		"canceled get": {
			call: func(c *clientv3.Client) error {
				_, err := c.Get(canceled, "key")
				return err
			},
			want: context.Canceled,
		},
		"late get": {
			call: func(c *clientv3.Client) error {
				_, err := c.Get(late, "key")
				return err
			},
			want: context.DeadlineExceeded,
		},
		"canceled put": {
			call: func(c *clientv3.Client) error {
				_, err := c.Put(canceled, "other", "value")
				return err
			},
			want: context.Canceled,
		},
		"late put": {
			call: func(c *clientv3.Client) error {
				_, err := c.Put(late, "other", "value")
				return err
			},
			want: context.DeadlineExceeded,
		},
		"compacted watch": {
			call: func(c *clientv3.Client) error {
				response := <-c.Watch(clientv3.WithRequireLeader(t.Context()), "key", clientv3.WithRev(revision-1))
				return response.Err()
			},
			want: rpctypes.ErrCompacted,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, client := range map[string]*clientv3.Client{"process": s.Client(), "socket": external} {
				if err := test.call(client); !errors.Is(err, test.want) {
					t.Errorf("%s: got %#v, not %#v", kind, err, test.want)
				}
			}
		})
	}
}

func manyPuts(count int) []clientv3.Op {
	var puts []clientv3.Op
	for n := range count {
		puts = append(puts, clientv3.OpPut(fmt.Sprint(n), ""))
	}
	return puts
}

// TestWatch watches as the storage layer does: with previous values, progress, a leader, and progress on request.
func TestWatch(t *testing.T) {
	t.Parallel()
	s := start(t, etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	external := dial(t, s)
	t.Cleanup(func() { _ = external.Close() })
	for kind, client := range map[string]*clientv3.Client{"process": s.Client(), "socket": external} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			prefix := kind + "/"
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			ctx = clientv3.WithRequireLeader(metadata.AppendToOutgoingContext(ctx, "source", "cache"))
			first := put(t, client, prefix+"a", "1")
			events := client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithPrevKV(),
				clientv3.WithProgressNotify(), clientv3.WithRev(first))
			put(t, client, prefix+"a", "2")
			if _, err := client.Delete(t.Context(), prefix+"a"); err != nil {
				t.Fatal(err)
			}
			var got []string
			for len(got) < 3 {
				for _, event := range next(t, events).Events {
					previous := ""
					if event.PrevKv != nil {
						previous = string(event.PrevKv.Value)
					}
					got = append(got, fmt.Sprintf("%s:%s<%s", event.Type, event.Kv.Value, previous))
				}
			}
			if want := "PUT:1< PUT:2<1 DELETE:<2"; strings.Join(got, " ") != want {
				t.Errorf("got %v, not %s", got, want)
			}
			other := put(t, client, "elsewhere", "value")
			if err := client.RequestProgress(ctx); err != nil {
				t.Fatal(err)
			}
			for {
				response := next(t, events)
				if response.IsProgressNotify() && response.Header.Revision >= other {
					break
				}
			}
			cancel()
			for range events {
				continue
			}
		})
	}
}

func next(t *testing.T, events clientv3.WatchChan) clientv3.WatchResponse {
	t.Helper()
	response, ok := <-events
	if !ok || response.Err() != nil {
		t.Fatalf("watch ended: %v", response.Err())
	}
	return response
}

// TestPeriodicProgress waits for the notification that etcd sends by itself.
func TestPeriodicProgress(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for 5 s")
	}
	s := start(t, etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	started := time.Now()
	events := s.Client().Watch(ctx, "key", clientv3.WithProgressNotify())
	if response := next(t, events); !response.IsProgressNotify() {
		t.Errorf("got %v", response)
	}
	if took := time.Since(started); took > 11*time.Second {
		t.Errorf("after %v", took)
	}
}

// TestFeatureCheck asks the way that k8s.io/apiserver does before it answers consistent lists from its cache.
func TestFeatureCheck(t *testing.T) {
	t.Parallel()
	s := start(t, etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	checker := feature.NewDefaultFeatureSupportChecker()
	checker.CheckClient(t.Context(), s.Client(), storage.RequestWatchProgress)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !checker.Supports(storage.RequestWatchProgress) {
		if ctx.Err() != nil {
			t.Fatal("progress requests are not taken for supported")
		}
	}
	status, err := s.Client().Status(t.Context(), s.Endpoints()[0])
	if err != nil || status.Version == "" || status.DbSize == 0 || status.Leader == 0 {
		t.Errorf("status: %v %v", status, err)
	}
}

// TestSnapshot reads a backup through the client in the process.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	s := start(t, etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	put(t, s.Client(), "key", "value")
	snapshot, err := s.Client().SnapshotWithVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	total := 0
	for {
		n, err := snapshot.Snapshot.Read(buffer)
		total += n
		if err != nil {
			break
		}
	}
	_ = snapshot.Snapshot.Close()
	if total < 4096 {
		t.Errorf("%d bytes", total)
	}
}

// TestLease lets a key expire: with short ticks, leases must still live as long as they say.
func TestLease(t *testing.T) {
	t.Parallel()
	s := start(t, etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	lease, err := s.Client().Grant(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	granted := time.Now()
	if _, err := s.Client().Put(t.Context(), "key", "value", clientv3.WithLease(lease.ID)); err != nil {
		t.Fatal(err)
	}
	response := next(t, s.Client().Watch(t.Context(), "key"))
	if took := time.Since(granted); took < 900*time.Millisecond || response.Events[0].Type != clientv3.EventTypeDelete {
		t.Errorf("expired after %v: %v", took, response.Events)
	}
}

// TestEnded writes nothing for a caller that has gone.
func TestEnded(t *testing.T) {
	t.Parallel()
	s := start(t, etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	put(t, s.Client(), "kept", "value")
	ended, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	t.Cleanup(cancel)
	for name, write := range map[string]func(*clientv3.Client) error{
		"put":    func(c *clientv3.Client) error { _, err := c.Put(ended, "new", "value"); return err },
		"delete": func(c *clientv3.Client) error { _, err := c.Delete(ended, "kept"); return err },
		"do":     func(c *clientv3.Client) error { _, err := c.Do(ended, clientv3.OpPut("new", "value")); return err },
		"transaction": func(c *clientv3.Client) error {
			put, kept := clientv3.OpPut("new", "value"), clientv3.Compare(clientv3.Value("kept"), "=", "value")
			_, err := c.Txn(ended).If(kept).Then(put).Else(put).Commit()
			return err
		},
	} {
		for range 50 { // etcd itself takes one now and then
			if err := write(s.Client()); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	got, err := s.Client().Get(t.Context(), "", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Key) != "kept" {
		t.Errorf("stored is %v (%v)", got, err)
	}
}
