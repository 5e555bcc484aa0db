// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

// withoutControllers has what a controller would do be done by the test.
var withoutControllers = stoatest.WithFlags("--controllers=-*")

func TestNamespaces(t *testing.T) {
	t.Parallel()
	kindtest.Run(t, kindtest.Suite{
		Config:   stoatest.Start(t, withoutControllers).Config(),
		Resource: schema.GroupVersionResource{Version: "v1", Resource: "namespaces"},
		Valid: `
apiVersion: v1
kind: Namespace
metadata: {annotations: {note: one}}
`,
		Update:         `metadata: {annotations: {note: two}}`,
		Status:         `status: {conditions: [{type: NamespaceContentRemaining, status: "True"}]}`,
		StatusMetadata: true,
		KeepsDeleted:   true,
		Invalid: []kindtest.Invalid{{
			Name:   "a finalizer without a domain",
			Patch:  `spec: {finalizers: [mine]}`,
			Errors: []string{`spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified`},
		}, {
			Name:   "a name with dots",
			Patch:  `metadata: {name: a.b}`,
			Errors: []string{`metadata.name: Invalid value: "a.b": must not contain dots`},
		}},
		Columns:    []string{"Name", "Status", "Age"},
		Selectors:  map[string]bool{"status.phase=Active": true, "status.phase=Terminating": false},
		ShortNames: []string{"ns"},
	})
}

// TestNamespaceDeletion follows a namespace through its end.
func TestNamespaceDeletion(t *testing.T) {
	t.Parallel()
	core := kubernetes.NewForConfigOrDie(stoatest.Start(t, withoutControllers).Config()).CoreV1()
	namespaces := core.Namespaces()

	created, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "doomed"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{"kubernetes"}}, created.Spec); diff != "" {
		t.Errorf("spec of a new namespace (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"kubernetes.io/metadata.name": "doomed"}, created.Labels); diff != "" {
		t.Errorf("labels of a new namespace (-want +got):\n%s", diff)
	}
	created.Spec.Finalizers = nil
	updated, err := namespaces.Update(t.Context(), created, metav1.UpdateOptions{})
	if err != nil || len(updated.Spec.Finalizers) != 1 {
		t.Errorf("update took the finalizers away: %v, %v", updated.Spec.Finalizers, err)
	}

	other := types.UID("other")
	err = namespaces.Delete(t.Context(), "doomed", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}})
	want := `Operation cannot be fulfilled on namespaces "doomed": Precondition failed: UID in precondition: other, UID in object meta: ` + string(created.UID)
	if diff := cmp.Diff(want, text(err)); diff != "" {
		t.Errorf("error of delete with another UID (-want +got):\n%s", diff)
	}
	if err := namespaces.Delete(t.Context(), "doomed", metav1.DeleteOptions{DryRun: []string{"All"}}); err != nil {
		t.Errorf("dry-run delete: %v", err)
	}
	alive, err := namespaces.Get(t.Context(), "doomed", metav1.GetOptions{})
	if err != nil || alive.DeletionTimestamp != nil || alive.Status.Phase != corev1.NamespaceActive {
		t.Fatalf("after a dry run: %+v, %v", alive, err)
	}

	if err := namespaces.Delete(t.Context(), "doomed", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	marked, err := namespaces.Get(t.Context(), "doomed", metav1.GetOptions{})
	if err != nil || marked.DeletionTimestamp == nil || marked.Status.Phase != corev1.NamespaceTerminating {
		t.Fatalf("after delete: %+v, %v", marked, err)
	}
	if err := namespaces.Delete(t.Context(), "doomed", metav1.DeleteOptions{}); err != nil {
		t.Errorf("second delete: %v", err)
	}
	_, err = core.ConfigMaps("doomed").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "late"}}, metav1.CreateOptions{})
	want = `configmaps "late" is forbidden: unable to create new content in namespace doomed because it is being terminated`
	if diff := cmp.Diff(want, text(err)); diff != "" {
		t.Errorf("error of create in a terminating namespace (-want +got):\n%s", diff)
	}
	if !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		t.Errorf("the error has no cause %s: %#v", corev1.NamespaceTerminatingCause, err)
	}

	marked.Spec.Finalizers = []corev1.FinalizerName{"kubernetes", "mine"}
	_, err = namespaces.Finalize(t.Context(), marked, metav1.UpdateOptions{})
	want = `Namespace "doomed" is invalid: spec.finalizers[1]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified`
	if diff := cmp.Diff(want, text(err)); diff != "" {
		t.Errorf("error of a bad finalizer (-want +got):\n%s", diff)
	}
	marked.Spec.Finalizers = nil
	if _, err := namespaces.Finalize(t.Context(), marked, metav1.UpdateOptions{}); err != nil {
		t.Fatalf("finalize: %v", err)
	}
	if _, err := namespaces.Get(t.Context(), "doomed", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("get after finalize: %v, want NotFound", err)
	}
}

// TestNamespaceWaitsForBothFinalizers keeps a namespace until spec.finalizers and
// metadata.finalizers are empty.
func TestNamespaceWaitsForBothFinalizers(t *testing.T) {
	t.Parallel()
	namespaces := kubernetes.NewForConfigOrDie(stoatest.Start(t, withoutControllers).Config()).CoreV1().Namespaces()
	obj := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "held", Finalizers: []string{"example.com/hold"}}}
	if _, err := namespaces.Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := namespaces.Delete(t.Context(), "held", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	held, err := namespaces.Get(t.Context(), "held", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	held.Spec.Finalizers = nil
	if _, err := namespaces.Finalize(t.Context(), held, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := namespaces.Get(t.Context(), "held", metav1.GetOptions{}); err != nil {
		t.Fatalf("the namespace did not wait for metadata.finalizers: %v", err)
	}
	patch := []byte(`{"metadata":{"finalizers":null}}`)
	if _, err := namespaces.Patch(t.Context(), "held", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := namespaces.Get(t.Context(), "held", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("get after the last finalizer is gone: %v, want NotFound", err)
	}
}

func TestSystemNamespaces(t *testing.T) {
	t.Parallel()
	core := kubernetes.NewForConfigOrDie(stoatest.Start(t).Config()).CoreV1()
	for _, name := range []string{"default", "kube-system", "kube-public", "kube-node-lease"} {
		if _, err := core.Namespaces().Get(t.Context(), name, metav1.GetOptions{}); err != nil {
			t.Errorf("get: %v", err)
		}
	}
	for _, name := range []string{"default", "kube-system", "kube-public"} {
		err := core.Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{})
		want := `namespaces "` + name + `" is forbidden: this namespace may not be deleted`
		if diff := cmp.Diff(want, text(err)); diff != "" {
			t.Errorf("error of delete (-want +got):\n%s", diff)
		}
	}
	_, err := core.ConfigMaps("nowhere").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	if diff := cmp.Diff(`namespaces "nowhere" not found`, text(err)); diff != "" {
		t.Errorf("error of create in no namespace (-want +got):\n%s", diff)
	}
	err = core.RESTClient().Delete().Resource("namespaces").Do(t.Context()).Error()
	if diff := cmp.Diff("the server does not allow this method on the requested resource", text(err)); diff != "" {
		t.Errorf("error of deletecollection (-want +got):\n%s", diff)
	}
}
