// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/stoa-project/stoa/server/etcd"
)

// both runs a benchmark with the client in the process and with one over the socket.
func both(b *testing.B, config etcd.Config, run func(b *testing.B, c *clientv3.Client)) {
	b.Helper()
	config.Dir = b.TempDir()
	s := start(b, config)
	external := dial(b, s)
	b.Cleanup(func() { _ = external.Close() })
	value := strings.Repeat("x", 2000)
	for n := range 1000 {
		put(b, s.Client(), fmt.Sprintf("list/%04d", n), value)
	}
	b.Run("process", func(b *testing.B) { run(b, s.Client()) })
	b.Run("socket", func(b *testing.B) { run(b, external) })
}

func BenchmarkPut(b *testing.B) {
	for name, config := range map[string]etcd.Config{"fsync": {}, "nofsync": {UnsafeNoFsync: true}} {
		b.Run(name, func(b *testing.B) {
			both(b, config, func(b *testing.B, c *clientv3.Client) {
				value := strings.Repeat("x", 2000)
				var n atomic.Int64
				b.SetParallelism(16) // 32 clients on 2 cores
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := c.Put(b.Context(), fmt.Sprintf("put/%d", n.Add(1)%1000), value); err != nil {
							b.Error(err)
						}
					}
				})
			})
		})
	}
}

func BenchmarkGet(b *testing.B) {
	for name, options := range map[string][]clientv3.OpOption{
		"linearizable": nil, "serializable": {clientv3.WithSerializable()},
	} {
		b.Run(name, func(b *testing.B) {
			both(b, etcd.Config{UnsafeNoFsync: true}, func(b *testing.B, c *clientv3.Client) {
				b.SetParallelism(16)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := c.Get(b.Context(), "list/0500", options...); err != nil {
							b.Error(err)
						}
					}
				})
			})
		})
	}
}

func BenchmarkList(b *testing.B) {
	both(b, etcd.Config{UnsafeNoFsync: true}, func(b *testing.B, c *clientv3.Client) {
		for b.Loop() {
			if r, err := c.Get(b.Context(), "list/", clientv3.WithPrefix()); err != nil || len(r.Kvs) != 1000 {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWatch measures an event from the write until a watcher has it.
func BenchmarkWatch(b *testing.B) {
	both(b, etcd.Config{UnsafeNoFsync: true}, func(b *testing.B, c *clientv3.Client) {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		events := c.Watch(ctx, "watched", clientv3.WithPrevKV(), clientv3.WithCreatedNotify())
		<-events
		for b.Loop() {
			put(b, c, "watched", "value")
			if response := <-events; len(response.Events) != 1 {
				b.Fatal(response.Err())
			}
		}
	})
}

func BenchmarkStart(b *testing.B) {
	for name, config := range map[string]etcd.Config{"fsync": {}, "nofsync": {UnsafeNoFsync: true}} {
		for kind, fresh := range map[string]bool{"first": true, "again": false} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				parent := b.TempDir()
				benchmarkStart(b, config, func(i int) string {
					if fresh {
						return filepath.Join(parent, fmt.Sprint(i))
					}
					return filepath.Join(parent, "data")
				})
			})
		}
	}
}

// benchmarkStart measures start and stop together, since b.Loop cannot leave out the stop, and reports the start.
func benchmarkStart(b *testing.B, config etcd.Config, dir func(i int) string) {
	b.Helper()
	for i := 0; b.Loop(); i++ {
		config.Dir = dir(i)
		s, err := etcd.Start(b.Context(), config)
		if err != nil {
			b.Fatal(err)
		}
		put(b, s.Client(), "key", "value")
		b.StopTimer()
		stop(b, s)
		b.StartTimer()
	}
}
