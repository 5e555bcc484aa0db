// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// config returns a client configuration of the server's administrator.
func (s *server) config(t *testing.T) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return config
}

func (s *server) client(t *testing.T) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(s.config(t))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// absent stands for an object that does not exist.
const absent = "absent"

// writer changes ConfigMaps of its own, one after the other, and remembers what
// the server acknowledged.
type writer struct {
	name string
	next int
	// acknowledged is the last value of each object that the server confirmed.
	acknowledged map[string]string
	// doubt is what was asked for without an answer: it may have happened or not.
	doubt map[string]string
}

// write works until a request fails, which is when the server was killed.
func (w *writer) write(ctx context.Context, client *kubernetes.Clientset, count *atomic.Int64) {
	maps1 := client.CoreV1().ConfigMaps("default")
	do := func(name, value string, change func() error) bool {
		w.doubt[name] = value
		if change() != nil {
			return false
		}
		delete(w.doubt, name)
		w.acknowledged[name] = value
		count.Add(1)
		return true
	}
	for {
		w.next++
		name := w.name + "-" + strconv.Itoa(w.next)
		obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"value": "1"}}
		var err error
		if !do(name, "1", func() error { obj, err = maps1.Create(ctx, obj, metav1.CreateOptions{}); return err }) {
			return
		}
		if w.next%2 == 0 {
			obj.Data["value"] = "2"
			if !do(name, "2", func() error { _, err := maps1.Update(ctx, obj, metav1.UpdateOptions{}); return err }) {
				return
			}
		}
		if w.next%3 == 0 && !do(name, absent, func() error { return maps1.Delete(ctx, name, metav1.DeleteOptions{}) }) {
			return
		}
	}
}

// check compares what is stored with what was acknowledged, and settles doubts.
func (w *writer) check(t *testing.T, stored map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(w.doubt)) {
		got := valueOf(stored, name)
		before := valueOf(w.acknowledged, name)
		if got != w.doubt[name] && got != before {
			t.Errorf("%s is %s; %s was acknowledged, %s was asked for", name, got, before, w.doubt[name])
		}
		w.acknowledged[name] = got
	}
	clear(w.doubt)
	for name, want := range w.acknowledged {
		if got := valueOf(stored, name); got != want {
			t.Errorf("%s is %s, but %s was acknowledged", name, got, want)
		}
	}
}

func valueOf(all map[string]string, name string) string {
	if value, ok := all[name]; ok {
		return value
	}
	return absent
}

// What the server acknowledged is there after a kill -9 at any moment.
func TestKillDuringWrites(t *testing.T) {
	t.Parallel()
	integration(t)
	const rounds, writers, writesEachRound = 5, 6, 150
	s := start(t, folder(t))
	all := make([]*writer, writers)
	for i := range all {
		all[i] = &writer{name: fmt.Sprintf("writer-%d", i), acknowledged: map[string]string{}, doubt: map[string]string{}}
	}
	total := 0
	for range rounds {
		var count atomic.Int64
		var writing sync.WaitGroup
		for _, w := range all {
			client := s.client(t) // a connection of its own
			writing.Go(func() { w.write(t.Context(), client, &count) })
		}
		eventually(t, "the writers write", func() error {
			if n := count.Load(); n < writesEachRound {
				return fmt.Errorf("%d writes", n)
			}
			return nil
		})
		s.kill(t)
		writing.Wait()
		total += int(count.Load())

		s = s.restart(t)
		list, err := s.client(t).CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		stored := map[string]string{}
		for _, item := range list.Items {
			stored[item.Name] = item.Data["value"]
		}
		for _, w := range all {
			w.check(t, stored)
		}
	}
	t.Logf("%d writes were acknowledged in %d rounds", total, rounds)
}

// A signal that a service manager sends while a client watches and another is in
// the middle of a request loses neither.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t))
	watch, err := s.client(t).CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	request := halfRequest(t, s)
	s.signal(t, syscall.SIGTERM)
	eventually(t, "the server refuses new connections", func() error { return refused(t, s) })
	if status := request.finish(t); status != "201 Created" {
		t.Errorf("the request that was under way was answered %q, want 201 Created", status)
	}
	for event := range watch.ResultChan() {
		if event.Type == "ERROR" {
			t.Errorf("the watch ended with %v", event.Object)
		}
	}
	if code := s.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	s = s.restart(t)
	if got := s.kubectl(t, "get", "configmap", "half", "-o", "name"); got != "configmap/half\n" {
		t.Errorf("after the restart: %q", got)
	}
	s.stop(t)
}

// Who cannot wait signals a second time.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	integration(t)
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(second.String(), func(t *testing.T) {
			t.Parallel()
			s := start(t, folder(t))
			_ = halfRequest(t, s)
			s.signal(t, syscall.SIGTERM)
			eventually(t, "the server refuses new connections", func() error { return refused(t, s) })
			if !s.running() {
				t.Fatal("the server did not wait for the request that is under way")
			}
			s.signal(t, second)
			s.wait(t)
			if status, ok := s.command.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != second {
				t.Errorf("the process ended with %v, want signal %v", s.command.ProcessState, second)
			}
			s = s.restart(t)
			s.stop(t)
		})
	}
}
