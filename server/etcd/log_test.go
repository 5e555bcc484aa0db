// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr/funcr"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"k8s.io/klog/v2"
)

const secretValue = "correct-horse-battery-staple"

// lines collects what is logged at the highest verbosity.
type lines struct {
	mutex sync.Mutex
	text  strings.Builder
}

func (l *lines) logger() klog.Logger {
	const highest = 10
	return funcr.New(func(prefix, line string) {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		l.text.WriteString(prefix + " " + line + "\n")
	}, funcr.Options{Verbosity: highest})
}

func (l *lines) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// TestLogHasNoSecrets writes a secret in all the ways that there are, and lets writes of it fail.
func TestLogHasNoSecrets(t *testing.T) {
	t.Parallel()
	var logged lines
	dir := filepath.Join(t.TempDir(), "data")
	for range 2 { // the second start replays the log
		s, err := Start(klog.NewContext(t.Context(), logged.logger()), Config{Dir: dir, UnsafeNoFsync: true, MaxRequestBytes: 1 << 10})
		if err != nil {
			t.Fatal(err)
		}
		c := s.Client()
		if _, err := c.Put(t.Context(), "key", secretValue); err != nil {
			t.Error(err)
		}
		if _, err := c.Txn(t.Context()).If(clientv3.Compare(clientv3.Value("key"), "=", secretValue)).
			Then(clientv3.OpPut("key", secretValue+secretValue)).Commit(); err != nil {
			t.Error(err)
		}
		if _, err := c.Get(t.Context(), "key"); err != nil {
			t.Error(err)
		}
		// Refused before it is proposed; refused when it is applied.
		if _, err := c.Put(t.Context(), "key", strings.Repeat(secretValue, 100)); err == nil {
			t.Error("wrote more than allowed")
		}
		if _, err := c.Put(t.Context(), "key", secretValue, clientv3.WithLease(12345)); err == nil {
			t.Error("wrote with a lease that does not exist")
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := strings.Count(logged.String(), "\n"); got < 50 {
		t.Errorf("only %d lines", got)
	}
	refuseSecret(t, logged.String())
}

// TestLogLeavesOutRequests has the fields in which etcd logs whole requests.
func TestLogLeavesOutRequests(t *testing.T) {
	t.Parallel()
	var logged lines
	logger := newLogger(logged.logger(), new(atomic.Bool), newCrash())
	request := &etcdserverpb.InternalRaftRequest{Put: &etcdserverpb.PutRequest{Key: []byte("key"), Value: []byte(secretValue)}}
	for _, key := range []string{"raftReq", "raft-request"} {
		logger.Error("Could not apply", zap.Any(key, request), zap.String("other", "field"))
		logger.Debug("Applying", zap.Stringer(key, request))
		logger.With(zap.Any(key, request)).Warn("Applied slowly")
	}
	text := logged.String()
	refuseSecret(t, details([]zap.Field{zap.Stringer("raft-request", request)}))
	if got := strings.Count(text, "\n"); got != 6 || strings.Count(text, `"other"="field"`) != 2 {
		t.Errorf("got %d lines:\n%s", got, text)
	}
	refuseSecret(t, text)
}

func refuseSecret(t *testing.T, text string) {
	t.Helper()
	for _, form := range []string{secretValue, fmt.Sprintf("%d", []byte(secretValue)), "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"} {
		for line := range strings.Lines(text) {
			if strings.Contains(line, form) {
				t.Errorf("has the secret: %.300s", line)
			}
		}
	}
}
