// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// patience is how long an event may take; only a failing test waits that long.
const patience = 30 * time.Second

func contextWithoutCancel(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }

func patchJSON(t *testing.T, patch string) []byte {
	t.Helper()
	data, err := json.Marshal(parse(t, patch))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// lifecycle creates, reads, lists, changes and deletes an object, and follows its
// generation and resource version.
func (k *tester) lifecycle(t *testing.T) {
	name := k.Name("kindtest-lifecycle")
	created := k.create(t, name)
	if diff := cmp.Diff(created.Object, k.get(t, name).Object); diff != "" {
		t.Errorf("get differs from what create returned (-create +get):\n%s", diff)
	}
	if _, err := k.client.Create(t.Context(), k.valid(t, name), metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("second create: %v, want AlreadyExists", err)
	}
	same, err := k.client.Update(t.Context(), created, metav1.UpdateOptions{})
	if err != nil {
		t.Fatalf("update without a change: %v", err)
	}
	if same.GetResourceVersion() != created.GetResourceVersion() {
		t.Error("an update without a change made a new resourceVersion")
	}
	wantGeneration(t, created, k.Generations[0])
	labelled, err := k.client.Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"labels":{"kindtest":"lifecycle"}}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatalf("label: %v", err)
	}
	wantGeneration(t, labelled, k.Generations[1])
	changed, err := k.client.Patch(t.Context(), name, types.MergePatchType, patchJSON(t, k.Update), metav1.PatchOptions{})
	if err != nil {
		t.Fatalf("change by Update: %v", err)
	}
	if changed.GetResourceVersion() == labelled.GetResourceVersion() {
		t.Error("Update changed nothing")
	}
	wantGeneration(t, changed, k.Generations[2])
	k.deleted(t, name)
}

func wantGeneration(t *testing.T, obj *unstructured.Unstructured, want int64) {
	t.Helper()
	if got := obj.GetGeneration(); got != want {
		t.Errorf("generation is %d, want %d", got, want)
	}
}

func (k *tester) deleted(t *testing.T, name string) {
	t.Helper()
	if err := k.client.Delete(t.Context(), name, background()); err != nil {
		t.Fatalf("delete: %v", err)
	}
	left, err := k.client.Get(t.Context(), name, metav1.GetOptions{})
	switch {
	case k.KeepsDeleted && err != nil:
		t.Errorf("get after delete: %v, want the object to wait for its finalizers", err)
	case k.KeepsDeleted && left.GetDeletionTimestamp() == nil:
		t.Error("delete did not set deletionTimestamp")
	case !k.KeepsDeleted && !apierrors.IsNotFound(err):
		t.Errorf("get after delete: %v, want NotFound", err)
	}
}

// garbage looks at what a delete that names no policy leaves to be done. The answer
// shows it, before anybody can have done it.
func (k *tester) garbage(t *testing.T) {
	const hold = "kindtest.example.com/hold"
	name := k.Name("kindtest-garbage")
	obj := k.valid(t, name)
	obj.SetFinalizers([]string{hold})
	if _, err := k.client.Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	k.cleanup(t, name)
	body, err := k.raw(t).Delete().AbsPath(k.path(), name).Do(t.Context()).Raw()
	if err != nil {
		t.Fatalf("delete: %v", err)
	}
	deleted := &metav1.PartialObjectMetadata{}
	if err := json.Unmarshal(body, deleted); err != nil {
		t.Fatal(err)
	}
	if deleted.DeletionTimestamp == nil || !slices.Contains(deleted.Finalizers, hold) {
		t.Errorf("answer to a delete with a finalizer: %s", body)
	}
	if got := slices.Contains(deleted.Finalizers, metav1.FinalizerOrphanDependents); got != k.Orphans {
		t.Errorf("delete orphans dependents: %t, want %t", got, k.Orphans)
	}
	if _, err := k.client.Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Errorf("remove the finalizers: %v", err)
	}
	if _, err := k.client.Get(t.Context(), name, metav1.GetOptions{}); !k.KeepsDeleted && !apierrors.IsNotFound(err) {
		t.Errorf("get after the last finalizer is gone: %v, want NotFound", err)
	}
}

// watch follows one object from a resource version on, and again from the middle.
func (k *tester) watch(t *testing.T) {
	name := k.Name("kindtest-watch")
	list, err := k.client.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	created := k.create(t, name)
	if _, err := k.client.Patch(t.Context(), name, types.MergePatchType, patchJSON(t, k.Update), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	k.deleted(t, name)
	last := watch.Deleted
	if k.KeepsDeleted {
		last = watch.Modified
	}
	k.wantEvents(t, name, list.GetResourceVersion(), watch.Added, watch.Modified, last)
	k.wantEvents(t, name, created.GetResourceVersion(), watch.Modified, last)
}

func (k *tester) wantEvents(t *testing.T, name, from string, want ...watch.EventType) {
	t.Helper()
	w, err := k.client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: from, FieldSelector: "metadata.name=" + name})
	if err != nil {
		t.Fatalf("watch from %s: %v", from, err)
	}
	defer w.Stop()
	for _, eventType := range want {
		event := next(t, w)
		// What ends gracefully is marked before it is gone, even if nothing has to end.
		if eventType == watch.Deleted && event.Type == watch.Modified && marked(event.Object) {
			event = next(t, w)
		}
		if event.Type != eventType {
			t.Fatalf("watch from %s: event %s (%v), want %s", from, event.Type, event.Object, eventType)
		}
	}
}

func next(t *testing.T, w watch.Interface) watch.Event {
	t.Helper()
	select {
	case event, ok := <-w.ResultChan():
		if !ok {
			t.Fatal("the watch ended")
		}
		return event
	case <-time.After(patience):
		t.Fatal("no event")
	}
	return watch.Event{}
}

func marked(obj runtime.Object) bool {
	object, ok := obj.(metav1.Object)
	return ok && object.GetDeletionTimestamp() != nil
}

// dryRun writes nothing.
func (k *tester) dryRun(t *testing.T) {
	name := k.Name("kindtest-dry-run")
	if _, err := k.client.Create(t.Context(), k.valid(t, name), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Fatalf("dry-run create: %v", err)
	}
	if _, err := k.client.Get(t.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("get after a dry-run create: %v, want NotFound", err)
	}
	created := k.create(t, name)
	if _, err := k.client.Patch(t.Context(), name, types.MergePatchType, patchJSON(t, k.Update), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Fatalf("dry-run patch: %v", err)
	}
	if err := k.client.Delete(t.Context(), name, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Fatalf("dry-run delete: %v", err)
	}
	got := k.get(t, name)
	if marked(got) {
		t.Error("a dry run deleted the object")
	}
	for _, obj := range []*unstructured.Unstructured{got, created} { // controllers write the rest
		delete(obj.Object, "metadata")
		delete(obj.Object, "status")
	}
	if diff := cmp.Diff(created.Object, got.Object); diff != "" {
		t.Errorf("a dry run changed the object (-want +got):\n%s", diff)
	}
}

// conflict refuses a write that was made from an old state.
func (k *tester) conflict(t *testing.T) {
	name := k.Name("kindtest-conflict")
	old := k.create(t, name)
	if _, err := k.client.Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"labels":{"kindtest":"conflict"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.client.Update(t.Context(), old, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("update from an old resourceVersion: %v, want Conflict", err)
	}
}

// versions shows the object in every served version.
func (k *tester) versions(t *testing.T) {
	name := k.Name("kindtest-versions")
	created := k.create(t, name)
	for _, version := range k.Versions {
		resource := k.Resource
		resource.Version = version
		other, err := scope(k.dynamic, resource, k.Namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Errorf("get in %s: %v", version, err)
			continue
		}
		if other.GetUID() != created.GetUID() || other.GetResourceVersion() != created.GetResourceVersion() {
			t.Errorf("%s shows another object", version)
		}
		// Writing back what another version showed must change nothing.
		back, err := scope(k.dynamic, resource, k.Namespace).Update(t.Context(), other, metav1.UpdateOptions{})
		if err != nil {
			t.Errorf("update in %s: %v", version, err)
			continue
		}
		if back.GetResourceVersion() != created.GetResourceVersion() {
			t.Errorf("an update without a change in %s made a new resourceVersion", version)
		}
	}
}
