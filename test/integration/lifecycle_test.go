// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/stoatest"
)

// TestFinalizers keep an object until the last one is gone.
func TestFinalizers(t *testing.T) {
	t.Parallel()
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	obj := newConfigMap("a", "1")
	obj.Finalizers = []string{"example.com/one", "example.com/two"}
	if _, err := client.Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	marked, err := client.Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil || marked.DeletionTimestamp == nil {
		t.Fatalf("after delete: %+v, %v", marked, err)
	}
	// What is being deleted can be changed, but not be saved.
	if _, err := client.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"data":{"value":"2"}}`), metav1.PatchOptions{}); err != nil {
		t.Errorf("patch while being deleted: %v", err)
	}
	_, err = client.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/one","example.com/two","example.com/three"]}}`), metav1.PatchOptions{})
	want := `ConfigMap "a" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/three"}`
	if diff := cmp.Diff(want, text(err)); diff != "" {
		t.Errorf("error of a new finalizer (-want +got):\n%s", diff)
	}
	again, err := client.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"deletionTimestamp":null}}`), metav1.PatchOptions{})
	if err != nil || again.DeletionTimestamp == nil {
		t.Errorf("the deletion was taken back: %v", err)
	}
	if _, err := client.Create(t.Context(), newConfigMap("a", "1"), metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("create while being deleted: %v, want AlreadyExists", err)
	}
	for i, finalizers := range []string{`["example.com/two"]`, `[]`} {
		if _, err := client.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"finalizers":`+finalizers+`}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		_, err := client.Get(t.Context(), "a", metav1.GetOptions{})
		if gone := apierrors.IsNotFound(err); gone != (i == 1) {
			t.Errorf("after %s is left: %v", finalizers, err)
		}
	}
}

// TestPropagation marks the object for the garbage collector as the caller wants.
func TestPropagation(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t, stoatest.WithFlags("--controllers=-*")) // the collector is faster than the test
	foreground, orphan, background := metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan, metav1.DeletePropagationBackground
	for _, tc := range []struct {
		name   string
		policy *metav1.DeletionPropagation
		want   []string
	}{
		{"none", nil, nil},
		{"background", &background, nil},
		{"foreground", &foreground, []string{"foregroundDeletion"}},
		{"orphan", &orphan, []string{"orphan"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			all := kubernetes.NewForConfigOrDie(server.Config()).NetworkingV1().NetworkPolicies(metav1.NamespaceDefault)
			name := unique(t)
			if _, err := all.Create(t.Context(), &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := all.Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: tc.policy}); err != nil {
				t.Fatal(err)
			}
			left, err := all.Get(t.Context(), name, metav1.GetOptions{})
			if tc.want == nil {
				if !apierrors.IsNotFound(err) {
					t.Errorf("get after delete: %v, want NotFound", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, left.Finalizers); diff != "" {
				t.Errorf("finalizers (-want +got):\n%s", diff)
			}
			if left.DeletionTimestamp == nil || left.DeletionGracePeriodSeconds == nil || *left.DeletionGracePeriodSeconds != 0 {
				t.Errorf("deletionTimestamp %v, deletionGracePeriodSeconds %v", left.DeletionTimestamp, left.DeletionGracePeriodSeconds)
			}
			if left.Generation != 2 {
				t.Errorf("generation is %d, want 2", left.Generation)
			}
		})
	}
}

// TestGeneration counts changes of the spec, and nothing else.
func TestGeneration(t *testing.T) {
	t.Parallel()
	all := tenancyClient(t).TenancyV1().Tenants()
	name := unique(t)
	obj, err := all.Create(t.Context(), &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 7}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if obj.Generation != 1 {
		t.Errorf("generation of a new object is %d", obj.Generation)
	}
	for _, step := range []struct {
		patch       string
		subresource []string
		want        int64
	}{
		{patch: `{"metadata":{"annotations":{"a":"b"}}}`, want: 1},
		{patch: `{"spec":{"displayName":"x"}}`, want: 2},
		{patch: `{"spec":{"displayName":"x"}}`, want: 2},
		{patch: `{"metadata":{"generation":9}}`, want: 2},
		{patch: `{"spec":{"quota":{"hard":{"requests.cpu":"1000m"}}}}`, want: 3},
		{patch: `{"spec":{"quota":{"hard":{"requests.cpu":"1"}}}}`, want: 3},
		{patch: `{"spec":{"owners":[]}}`, want: 3},
		{patch: `{"status":{"observedGeneration":3},"spec":{"displayName":"y"}}`, subresource: []string{"status"}, want: 3},
		{patch: `{"status":{"observedGeneration":99}}`, want: 3},
	} {
		obj, err := all.Patch(t.Context(), name, types.MergePatchType, []byte(step.patch), metav1.PatchOptions{}, step.subresource...)
		if err != nil {
			t.Fatalf("%s: %v", step.patch, err)
		}
		if obj.Generation != step.want {
			t.Errorf("%s: generation is %d, want %d", step.patch, obj.Generation, step.want)
		}
	}
	obj, err = all.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil || obj.Status.ObservedGeneration != 3 || obj.Spec.DisplayName != "x" {
		t.Errorf("main endpoint wrote status, or status wrote spec: %+v, %v", obj, err)
	}
}

// TestServerOwnedMetadata cannot be written by clients.
func TestServerOwnedMetadata(t *testing.T) {
	t.Parallel()
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	past := metav1.Unix(0, 0)
	obj, err := client.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: "a", UID: "mine", CreationTimestamp: past, DeletionTimestamp: &past,
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if obj.UID == "mine" || obj.CreationTimestamp.Equal(&past) || obj.DeletionTimestamp != nil {
		t.Errorf("metadata is %+v", obj.ObjectMeta)
	}
	changed := obj.DeepCopy()
	changed.CreationTimestamp = past
	if got, err := client.Update(t.Context(), changed, metav1.UpdateOptions{}); err != nil || !got.CreationTimestamp.Equal(&obj.CreationTimestamp) {
		t.Errorf("update of creationTimestamp: %v, %v", got.CreationTimestamp, err)
	}
	changed.UID = "mine"
	_, err = client.Update(t.Context(), changed, metav1.UpdateOptions{})
	if !apierrors.IsConflict(err) {
		t.Errorf("update with another UID: %v, want Conflict", err)
	}
	obj = newConfigMap("b", "1")
	obj.ResourceVersion = "5"
	_, err = client.Create(t.Context(), obj, metav1.CreateOptions{})
	if diff := cmp.Diff("resourceVersion should not be set on objects to be created", text(err)); diff != "" {
		t.Errorf("error of create with a resourceVersion (-want +got):\n%s", diff)
	}
}
