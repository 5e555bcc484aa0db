// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package stoatest_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

// TestStopFreesMemory starts and stops servers one after the other in one test, which
// keeps the goroutines and the memory of none of them. It is not parallel: others would
// count.
func TestStopFreesMemory(t *testing.T) { //nolint:paralleltest // see above
	const servers = 8
	use(t) // what is made once for a process
	heap := live()
	goroutines := runtime.NumGoroutine()
	for range servers {
		use(t)
	}
	// A server that runs has 30 MB and 2 000 goroutines. A write that waits for plugins goes
	// on to do so for some seconds when its server is gone.
	var grown int64
	more := 0
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		grown, more = live()-heap, runtime.NumGoroutine()-goroutines
		return grown < servers*8<<20 && more < servers, nil
	})
	if err != nil {
		t.Errorf("%d servers that are stopped have %d MB and %d goroutines", servers, grown>>20, more)
	}
}

// use starts a server, writes and reads, and stops it.
func use(t *testing.T) {
	t.Helper()
	server := stoatest.Start(t)
	defer server.Stop()
	client, err := kubernetes.NewForConfig(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	maps := client.CoreV1().ConfigMaps(metav1.NamespaceDefault)
	if _, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := maps.List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
}

// live is how many bytes of the heap are reachable. A processor forgets a timer that was
// stopped when there are many of these among its timers, or when it is taken away.
func live() int64 {
	processors := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(processors)
	for range 1000 {
		time.AfterFunc(time.Hour, func() {}).Stop()
	}
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
