// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/klog/v2"
)

// TestProgress has a start that takes long tell what it does, without a higher verbosity.
func TestProgress(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	lines := make(chan string)
	logger := funcr.New(func(_, line string) {
		select {
		case lines <- line:
		case <-ctx.Done():
		}
	}, funcr.Options{})
	var p progress
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.report(klog.NewContext(ctx, logger), "/data", time.Millisecond)
	}()
	for _, doing := range []string{"open database", "replay write-ahead log"} {
		p.set(doing)
		want := `"msg"="Still starting etcd" "doing"="` + doing + `" "dir"="/data" "seconds"=0`
		for line := range lines {
			if strings.Contains(line, want) {
				break
			}
			if !strings.Contains(line, "open database") {
				t.Fatalf("got %s, want %s", line, want)
			}
		}
	}
	cancel()
	<-ended
}
