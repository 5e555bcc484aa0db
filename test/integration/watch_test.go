// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/stoa-project/stoa/stoatest"
)

// newConfigMap is a config map with one value.
func newConfigMap(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"value": value}}
}

func createConfigMap(t testing.TB, client typedcore.ConfigMapInterface, name, value string) *corev1.ConfigMap {
	t.Helper()
	out, err := client.Create(t.Context(), newConfigMap(name, value), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// next returns the next event as "TYPE name=value".
func next(t testing.TB, w watch.Interface) string {
	t.Helper()
	select {
	case event, ok := <-w.ResultChan():
		if !ok {
			return "end"
		}
		switch obj := event.Object.(type) {
		case *corev1.ConfigMap:
			if event.Type == watch.Bookmark {
				return string(event.Type)
			}
			return fmt.Sprintf("%s %s=%s", event.Type, obj.Name, obj.Data["value"])
		case *metav1.Status:
			return fmt.Sprintf("%s %d %s", event.Type, obj.Code, obj.Reason)
		default:
			return fmt.Sprintf("%s %T", event.Type, obj)
		}
	case <-time.After(patience):
		return "nothing"
	}
}

func wantEvents(t testing.TB, w watch.Interface, want ...string) {
	t.Helper()
	var got []string
	for range want {
		got = append(got, next(t, w))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
}

// TestWatch runs with the watch cache and without.
func TestWatch(t *testing.T) {
	t.Parallel()
	t.Run("cached", func(t *testing.T) { testWatch(t, api) })
	t.Run("uncached", func(t *testing.T) {
		testWatch(t, stoatest.Start(t, stoatest.WithFlags("--watch-cache=false", "--controllers=-*")))
	})
}

func testWatch(t *testing.T, server *stoatest.Server) {
	client := ownConfigMaps(t, server)
	a := createConfigMap(t, client, "a", "1")
	a.Data["value"], a.Labels = "2", map[string]string{"x": "y"}
	changed, err := client.Update(t.Context(), a, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b := createConfigMap(t, client, "b", "1")
	if err := client.Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		options metav1.ListOptions
		want    []string
	}{
		{name: "from the first", options: metav1.ListOptions{ResourceVersion: a.ResourceVersion}, want: []string{"MODIFIED a=2", "ADDED b=1", "DELETED a=2"}},
		{name: "from the second", options: metav1.ListOptions{ResourceVersion: changed.ResourceVersion}, want: []string{"ADDED b=1", "DELETED a=2"}},
		{name: "from the last", options: metav1.ListOptions{ResourceVersion: b.ResourceVersion}, want: []string{"DELETED a=2"}},
		{name: "one by name", options: metav1.ListOptions{ResourceVersion: a.ResourceVersion, FieldSelector: "metadata.name=a"}, want: []string{"MODIFIED a=2", "DELETED a=2"}},
		{name: "into a label", options: metav1.ListOptions{ResourceVersion: a.ResourceVersion, LabelSelector: "x=y"}, want: []string{"ADDED a=2", "DELETED a=2"}},
		{name: "out of a label", options: metav1.ListOptions{ResourceVersion: a.ResourceVersion, LabelSelector: "x!=y,!z", FieldSelector: "metadata.name=a"}, want: []string{"DELETED a=1"}},
		{name: "what is there", options: metav1.ListOptions{FieldSelector: "metadata.name=b"}, want: []string{"ADDED b=1"}},
		{name: "what is there, old or new", options: metav1.ListOptions{ResourceVersion: "0", FieldSelector: "metadata.name=b"}, want: []string{"ADDED b=1"}},
	} {
		w, err := client.Watch(t.Context(), tc.options)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		var got []string
		for range tc.want {
			got = append(got, next(t, w))
		}
		w.Stop()
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", tc.name, diff)
		}
	}
}

// TestWatchTimeout ends a watch in time and without an error.
func TestWatchTimeout(t *testing.T) {
	t.Parallel()
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	seconds := int64(1)
	w, err := client.Watch(t.Context(), metav1.ListOptions{TimeoutSeconds: &seconds})
	if err != nil {
		t.Fatal(err)
	}
	wantEvents(t, w, "end")
}

// TestBookmarks get a watch without events ahead.
func TestBookmarks(t *testing.T) {
	t.Parallel()
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	first := createConfigMap(t, client, "first", "1")
	seconds := int64(3) // a bookmark comes two seconds before the end
	w, err := client.Watch(t.Context(), metav1.ListOptions{
		ResourceVersion: first.ResourceVersion, AllowWatchBookmarks: true, TimeoutSeconds: &seconds, FieldSelector: "metadata.name=none",
	})
	if err != nil {
		t.Fatal(err)
	}
	second := createConfigMap(t, client, "second", "1")
	last := ""
	for event := range w.ResultChan() {
		if event.Type != watch.Bookmark {
			t.Fatalf("event %s, want nothing but bookmarks", event.Type)
		}
		last = event.Object.(*corev1.ConfigMap).ResourceVersion
	}
	if order, err := resourceversion.CompareResourceVersion(last, second.ResourceVersion); err != nil || order < 0 {
		t.Fatalf("last bookmark is at %q, want at least %s", last, second.ResourceVersion)
	}
	createConfigMap(t, client, "third", "1")
	w, err = client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: last})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	wantEvents(t, w, "ADDED third=1")
}

// TestWatchList streams what is there, then a bookmark that says so, then changes.
func TestWatchList(t *testing.T) {
	t.Parallel()
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	for _, name := range []string{"a", "b", "c"} {
		createConfigMap(t, client, name, "1")
	}
	yes := true
	for _, version := range []string{"", "0"} {
		w, err := client.Watch(t.Context(), metav1.ListOptions{
			SendInitialEvents: &yes, AllowWatchBookmarks: true,
			ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, ResourceVersion: version,
		})
		if err != nil {
			t.Fatal(err)
		}
		wantEvents(t, w, "ADDED a=1", "ADDED b=1", "ADDED c=1")
		event := <-w.ResultChan()
		obj, ok := event.Object.(*corev1.ConfigMap)
		if event.Type != watch.Bookmark || !ok || obj.Annotations["k8s.io/initial-events-end"] != "true" || obj.ResourceVersion == "" {
			t.Fatalf("event after the initial ones: %s %+v", event.Type, event.Object)
		}
		createConfigMap(t, client, "d"+version, "1")
		wantEvents(t, w, "ADDED d"+version+"=1")
		if err := client.Delete(t.Context(), "d"+version, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, w, "DELETED d"+version+"=1") // so that the cache knows too
		w.Stop()
	}
	for _, tc := range []struct {
		name    string
		options metav1.ListOptions
		want    string
	}{
		{
			name: "without a match", options: metav1.ListOptions{SendInitialEvents: &yes},
			want: `ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan`,
		},
		{
			name: "with another match", options: metav1.ListOptions{SendInitialEvents: &yes, ResourceVersion: "1", ResourceVersionMatch: "Exact"},
			want: `ListOptions.meta.k8s.io "" is invalid: [resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"]`,
		},
	} {
		_, err := client.Watch(t.Context(), tc.options)
		if diff := cmp.Diff(tc.want, text(err)); diff != "" {
			t.Errorf("%s: error (-want +got):\n%s", tc.name, diff)
		}
	}
}

// TestWatchOfBothVersions shows one change in both versions.
func TestWatchOfBothVersions(t *testing.T) {
	t.Parallel()
	client := tenancyClient(t)
	name := unique(t)
	options := metav1.ListOptions{FieldSelector: "metadata.name=" + name}
	v1, err := client.TenancyV1().Tenants().Watch(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	alpha, err := client.TenancyV1alpha1().Tenants().Watch(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	create := fmt.Sprintf(`{"apiVersion":"tenancy.stoa.dev/v1alpha1","kind":"Tenant","metadata":{"name":%q},"spec":{"maxNamespaces":3}}`, name)
	if got := do(t, request{method: "POST", path: "/apis/tenancy.stoa.dev/v1alpha1/tenants", body: []byte(create)}); got.code != 201 {
		t.Fatalf("create: %d %s", got.code, got.body)
	}
	if err := client.TenancyV1().Tenants().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		version string
		watch.Interface
	}{{"v1", v1}, {"v1alpha1", alpha}} {
		t.Cleanup(w.Stop)
		for _, want := range []string{"ADDED", "DELETED"} {
			event := <-w.ResultChan()
			for want == "DELETED" && event.Type == watch.Modified { // it waits for its namespaces, of which there are none
				event = <-w.ResultChan()
			}
			if got := fmt.Sprintf("%s %T", event.Type, event.Object); got != want+" *"+w.version+".Tenant" {
				t.Errorf("event in %s is %s, want %s", w.version, got, want)
			}
		}
	}
}
