// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package work_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/controllers/work"
)

// A key comes again after an error, and others meanwhile. One that has to wait comes
// again no later than it asks for.
func TestQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := map[string]int{}
		ctx, cancel := context.WithCancel(t.Context())
		queue := work.NewQueue("test", func(_ context.Context, key string) error {
			calls[key]++
			switch {
			case key == "fails" && calls[key] < 3:
				return errors.New("not now")
			case key == "waits":
				return work.AgainError{Within: time.Second}
			case key == "last":
				cancel()
			}
			return nil
		})
		for _, key := range []string{"fails", "waits", "works", "works"} {
			queue.Add(key)
		}
		done := make(chan struct{})
		go func() {
			queue.Run(ctx)
			close(done)
		}()
		synctest.Wait()
		if calls["works"] != 1 || calls["fails"] != 1 {
			t.Errorf("at first: %v", calls)
		}
		<-time.After(time.Minute) // of the bubble
		synctest.Wait()
		queue.Add("last")
		<-done
		if calls["works"] != 1 || calls["fails"] != 3 || calls["last"] != 1 {
			t.Errorf("at last: %v", calls)
		}
		// Later each time for the first second, and then every second.
		if calls["waits"] < 60 || calls["waits"] > 70 {
			t.Errorf("a key that waits was looked at %d times in a minute", calls["waits"])
		}
	})
}

// Workers look at several keys at once, and none is left when the queue ends.
func TestQueueWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var now, most, done atomic.Int32
		queue := work.NewQueue("test", func(context.Context, string) error {
			most.Store(max(most.Load(), now.Add(1)))
			<-time.After(time.Second) // of the bubble
			now.Add(-1)
			done.Add(1)
			return nil
		})
		queue.Workers = 3
		for key := range 9 {
			queue.Add(strconv.Itoa(key))
		}
		ended := make(chan struct{})
		go func() {
			queue.Run(ctx)
			close(ended)
		}()
		<-time.After(2500 * time.Millisecond)
		cancel()
		<-ended
		if most.Load() != 3 || done.Load() < 9 || now.Load() != 0 {
			t.Errorf("%d at once, %d done, %d not", most.Load(), done.Load(), now.Load())
		}
	})
}

// A queue hears of what an informer has and sees, and of nothing once it has ended: a
// second one hears of all of that again.
func TestQueueListen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "old"}})
		factory := informers.NewSharedInformerFactory(client, 0)
		shared := factory.Core().V1().Namespaces().Informer()
		server, stop := context.WithCancel(t.Context())
		factory.StartWithContext(server)
		for range 2 {
			var heard atomic.Int32
			var looked sync.Map
			queue := work.NewQueue("test", func(_ context.Context, key string) error {
				looked.Store(key, true)
				return nil
			})
			add := func(obj any) {
				heard.Add(1)
				queue.Add(obj.(*corev1.Namespace).Name)
			}
			queue.Listen(shared, cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, obj any) { add(obj) }})
			term, end := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				queue.Run(term)
			}()
			synctest.Wait()
			if _, ok := looked.Load("old"); !ok || heard.Load() != 1 {
				t.Errorf("heard %d times of what was there", heard.Load())
			}
			update(t, client)
			synctest.Wait()
			if heard.Load() != 2 {
				t.Errorf("heard %d times with a change", heard.Load())
			}
			end()
			<-ended
			synctest.Wait()
			update(t, client)
			synctest.Wait()
			if heard.Load() != 2 {
				t.Errorf("heard %d times after the end", heard.Load())
			}
		}
		stop()
		factory.Shutdown()
	})
}

func update(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	if _, err := client.CoreV1().Namespaces().Update(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "old"}}, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// That a key waits is logged when it has waited for long, with the reason.
func TestQueueWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		logger := funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logger))
		queue := work.NewQueue("test", func(_ context.Context, key string) error {
			if key == "patient" {
				return work.AgainError{}
			}
			return work.AgainError{Why: errors.New("the object has changed")}
		})
		queue.Add("patient")
		queue.Add("stuck")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			queue.Run(ctx)
		}()
		<-time.After(4 * time.Second) // of the bubble
		synctest.Wait()
		if len(lines) > 0 {
			t.Errorf("logged at once: %q", lines)
		}
		<-time.After(10 * time.Minute)
		cancel()
		<-ended
		if len(lines) == 0 || len(lines) > 20 {
			t.Errorf("logged %d times", len(lines))
		}
		for _, line := range lines {
			if !strings.Contains(line, `"err"="not done yet: the object has changed"`) && !strings.Contains(line, `"error"="not done yet: the object has changed"`) || !strings.Contains(line, `"key"="stuck"`) {
				t.Errorf("logged %s", line)
			}
		}
	})
}
