// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/kubernetes"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/stoatest"
)

func defaultConfigMaps(t testing.TB, server *stoatest.Server) typedcore.ConfigMapInterface {
	t.Helper()
	client, err := kubernetes.NewForConfig(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	return client.CoreV1().ConfigMaps("default")
}

// ownConfigMaps are those of a namespace that no other test uses.
func ownConfigMaps(t testing.TB, server *stoatest.Server) typedcore.ConfigMapInterface {
	t.Helper()
	client, err := kubernetes.NewForConfig(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	obj := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: unique(t)}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return client.CoreV1().ConfigMaps(obj.Name)
}

// TestServersAreApart runs several servers at once, each with data of its own.
func TestServersAreApart(t *testing.T) {
	t.Parallel()
	const count = 5
	for i := range count {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			server := stoatest.Start(t, stoatest.WithFlags(quiet))
			client := defaultConfigMaps(t, server)
			createConfigMap(t, client, fmt.Sprintf("only-%d", i), "1")
			list, err := client.List(t.Context(), metav1.ListOptions{})
			if err != nil || len(list.Items) != 1 {
				t.Fatalf("%d config maps, want 1 (%v)", len(list.Items), err)
			}
			config := server.Config()
			config.CertData, config.KeyData = api.Config().CertData, api.Config().KeyData
			if _, err := kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{}); err == nil {
				t.Error("the administrator of another server was let in")
			}
			server.Stop()
			server.Stop()
		})
	}
}

// TestStopWhileWatched ends the watches. That they leave no goroutine shows when all
// tests are over.
func TestStopWhileWatched(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	client := defaultConfigMaps(t, server)
	createConfigMap(t, client, "a", "1")
	w, err := client.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantEvents(t, w, "ADDED a=1")
	server.Stop() // while somebody watches
	for range w.ResultChan() {
	}
}

// TestCompaction answers 410 to whoever asks for what etcd has forgotten.
func TestCompaction(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{true, false} {
		t.Run(fmt.Sprintf("watch-cache=%t", cached), func(t *testing.T) {
			t.Parallel()
			server := stoatest.Start(t, stoatest.WithFlags(fmt.Sprintf("--watch-cache=%t", cached), quiet))
			client := defaultConfigMaps(t, server)
			createMany(t, client, 20)
			page, err := client.List(t.Context(), metav1.ListOptions{Limit: 5})
			if err != nil {
				t.Fatal(err)
			}
			last := createConfigMap(t, client, "z", "1")
			revision, err := strconv.ParseInt(last.ResourceVersion, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := server.Etcd().Compact(t.Context(), revision); err != nil {
				t.Fatal(err)
			}
			if cached {
				// The cache remembers longer than etcd does.
				wantWatch(t, client, page.ResourceVersion, "ADDED z=1")
			} else {
				testForgotten(t, client, page)
			}
			// What is there now can still be listed and watched.
			list, err := client.List(t.Context(), metav1.ListOptions{})
			if err != nil || len(list.Items) != 21 {
				t.Fatalf("%d config maps, want 21 (%v)", len(list.Items), err)
			}
			w, err := client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			createConfigMap(t, client, "zz", "1")
			wantEvents(t, w, "ADDED zz=1")
		})
	}
}

func testForgotten(t *testing.T, client typedcore.ConfigMapInterface, page *corev1.ConfigMapList) {
	t.Helper()
	_, err := client.List(t.Context(), metav1.ListOptions{Limit: 5, Continue: page.Continue})
	if !apierrors.IsResourceExpired(err) {
		t.Fatalf("continue: %v, want Expired", err)
	}
	wantPrefix := "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
	if got := text(err); len(got) < len(wantPrefix) || got[:len(wantPrefix)] != wantPrefix {
		t.Errorf("continue: %s", got)
	}
	// The answer has a token for who prefers the rest at another state to nothing.
	token := err.(apierrors.APIStatus).Status().ListMeta.Continue
	rest, err := client.List(t.Context(), metav1.ListOptions{Continue: token})
	if err != nil || len(rest.Items) != 16 || rest.Items[0].Name != "n0005" {
		t.Errorf("inconsistent continue: %d items, %v", len(rest.Items), err)
	}
	_, err = client.List(t.Context(), metav1.ListOptions{ResourceVersion: page.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact})
	if want := "The provided resource version is too old: " + page.ResourceVersion; !apierrors.IsResourceExpired(err) {
		t.Errorf("list at a forgotten resourceVersion: %v, want %s", err, want)
	}
	wantWatch(t, client, "2", "ERROR 410 Expired")
}

// wantWatch watches from a resourceVersion and compares what comes first.
func wantWatch(t *testing.T, client typedcore.ConfigMapInterface, from, want string) {
	t.Helper()
	w, err := client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: from})
	if err != nil {
		t.Fatalf("watch from %s: %v", from, err)
	}
	defer w.Stop()
	if got := next(t, w); got != want {
		t.Errorf("first event from %s is %s, want %s", from, got, want)
	}
}

// TestRestart keeps objects and goes on counting, and clients carry on.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, cached := range []bool{true, false} {
		t.Run(fmt.Sprintf("watch-cache=%t", cached), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			options := []stoatest.Option{stoatest.WithDataDir(dir), stoatest.WithFlags(fmt.Sprintf("--watch-cache=%t", cached), "--controllers=-*")}
			server := stoatest.Start(t, options...)
			old := createConfigMap(t, defaultConfigMaps(t, server), "old", "1")
			before := createConfigMap(t, defaultConfigMaps(t, server), "before", "1")
			server.Stop()

			server = stoatest.Start(t, options...)
			client := defaultConfigMaps(t, server)
			kept, err := client.Get(t.Context(), "before", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, kept); diff != "" {
				t.Errorf("the object changed (-want +got):\n%s", diff)
			}
			if cached {
				// As in Kubernetes, the cache starts anew and sends clients to list again.
				wantWatch(t, client, old.ResourceVersion, "ERROR 410 Expired")
			} else {
				wantWatch(t, client, old.ResourceVersion, "ADDED before=1")
			}
			from := before.ResourceVersion
			if cached {
				list, err := client.List(t.Context(), metav1.ListOptions{})
				if err != nil {
					t.Fatal(err)
				}
				from = list.ResourceVersion
			}
			w, err := client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: from})
			if err != nil {
				t.Fatalf("watch from %s: %v", from, err)
			}
			defer w.Stop()
			after := createConfigMap(t, client, "after", "1")
			wantEvents(t, w, "ADDED after=1")
			if order, err := resourceversion.CompareResourceVersion(after.ResourceVersion, before.ResourceVersion); err != nil || order <= 0 {
				t.Errorf("resourceVersion went from %s to %s", before.ResourceVersion, after.ResourceVersion)
			}
		})
	}
}

// TestInformerAcrossRestart loses no change, also none of those it did not see.
func TestInformerAcrossRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags(quiet))
	port := server.URL()[len("https://127.0.0.1:"):]
	createConfigMap(t, defaultConfigMaps(t, server), "a", "1")
	client, err := kubernetes.NewForConfig(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	store, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "configmaps", "default", fields.Everything()),
		ObjectType:    &corev1.ConfigMap{},
		Handler:       cache.ResourceEventHandlerFuncs{},
	})
	done := make(chan struct{})
	defer func() { <-done }()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(done)
		controller.Run(stop)
	}()
	wait := func(want ...string) {
		t.Helper()
		eventually(t, func() string {
			for _, name := range want {
				if _, ok, _ := store.GetByKey("default/" + name); !ok {
					return "the informer does not see " + name
				}
			}
			if got := len(store.ListKeys()); got != len(want) {
				return fmt.Sprintf("the informer sees %d objects, want %d", got, len(want))
			}
			return ""
		})
	}
	wait("a")
	server.Stop()
	// While the informer cannot see it, on another port.
	server = stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags(quiet))
	createConfigMap(t, defaultConfigMaps(t, server), "b", "1")
	if err := defaultConfigMaps(t, server).Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	server = stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--secure-port="+port, quiet))
	wait("b")
	createConfigMap(t, defaultConfigMaps(t, server), "c", "1")
	wait("b", "c")
}

// TestMetricsAfterStop does not ask a server that is gone.
func TestMetricsAfterStop(t *testing.T) {
	t.Parallel()
	stopped := stoatest.Start(t)
	stopped.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if got, err := try(ctx, request{path: "/metrics"}); err != nil || got.code != 200 {
		t.Errorf("metrics: %d, %v", got.code, err)
	}
}

// TestMetricsWhileStopping asks for them, which are those of all servers of the
// process, while servers stop.
func TestMetricsWhileStopping(t *testing.T) {
	t.Parallel()
	for range 3 {
		server := stoatest.Start(t)
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			server.Stop()
		}()
		for done := false; !done; {
			select {
			case <-stopped:
				done = true
			default:
				if got := do(t, request{path: "/metrics"}); got.code != 200 {
					t.Errorf("metrics: %d", got.code)
				}
			}
		}
	}
}
