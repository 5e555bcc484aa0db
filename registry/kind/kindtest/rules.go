// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// invalid sends each mistake and compares the causes of the answer.
func (k *tester) invalid(t *testing.T) {
	for i, mistake := range k.Invalid {
		t.Run(mistake.Name, func(t *testing.T) {
			t.Parallel()
			name := k.Name(fmt.Sprintf("kindtest-invalid-%d", i))
			obj := merged(t, k.valid(t, name), mistake.Patch)
			var err error
			if mistake.OnUpdate {
				created := k.create(t, name)
				obj = merged(t, created, mistake.Patch)
				_, err = k.client.Update(t.Context(), obj, metav1.UpdateOptions{})
			} else {
				_, err = k.client.Create(t.Context(), obj, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			}
			if !apierrors.IsInvalid(err) {
				t.Fatalf("got %v, want Invalid", err)
			}
			var got []string
			for _, cause := range causes(err) {
				got = append(got, cause.Field+": "+cause.Message)
				if cause.Field != "" && cause.Field != "<nil>" && !exists(obj.Object, cause.Field) {
					t.Errorf("the error is about %s, which is no field of what was sent", cause.Field)
				}
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(mistake.Errors))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("causes (-want +got):\n%s", diff)
			}
		})
	}
}

func causes(err error) []metav1.StatusCause {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	return status.Status().Details.Causes
}

var step = regexp.MustCompile(`[^.\[\]]+|\[[^\]]*\]`)

// exists says whether a path leads through the object. What is missing may be its
// last step, or a map together with the key.
func exists(obj any, path string) bool {
	steps := step.FindAllString(path, -1)
	last := len(steps) - 1
	if last > 0 && strings.HasPrefix(steps[last], "[") {
		last--
	}
	for i, s := range steps {
		key := strings.Trim(s, "[]")
		var next any
		ok := false
		switch at := obj.(type) {
		case map[string]any:
			next, ok = at[key]
		case []any:
			index, err := strconv.Atoi(key)
			if ok = err == nil && index < len(at); ok {
				next = at[index]
			}
		}
		if !ok {
			return i >= last
		}
		obj = next
	}
	return true
}

// apply uses server-side apply: it owns what it sets, and an apply of the same
// again changes nothing.
func (k *tester) apply(t *testing.T) {
	name := k.Name("kindtest-apply")
	options := metav1.ApplyOptions{FieldManager: "kindtest-one"}
	obj := k.valid(t, name)
	first, err := k.client.Apply(t.Context(), name, obj, options)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	k.cleanup(t, name)
	again, err := k.client.Apply(t.Context(), name, obj, options)
	if err != nil {
		t.Fatalf("apply again: %v", err)
	}
	if again.GetResourceVersion() != first.GetResourceVersion() {
		t.Error("an apply without a change made a new resourceVersion")
	}
	changed := merged(t, obj, k.Update)
	if _, err := k.client.Apply(t.Context(), name, changed, metav1.ApplyOptions{FieldManager: "kindtest-two"}); !apierrors.IsConflict(err) {
		t.Errorf("apply of another value by another manager: %v, want Conflict", err)
	}
	if _, err := k.client.Apply(t.Context(), name, changed, metav1.ApplyOptions{FieldManager: "kindtest-two", Force: true}); err != nil {
		t.Errorf("forced apply: %v", err)
	}
}

// status checks that only /status writes status, and writes nothing else.
func (k *tester) status(t *testing.T) {
	if k.Status == "" {
		_, err := k.client.UpdateStatus(t.Context(), k.create(t, k.Name("kindtest-status")), metav1.UpdateOptions{})
		if !apierrors.IsNotFound(err) && !apierrors.IsMethodNotSupported(err) {
			t.Errorf("update of status: %v, want NotFound", err)
		}
		return
	}
	name := k.Name("kindtest-status")
	plain := k.create(t, k.Name("kindtest-status-plain"))
	early := k.Status
	if k.StatusOnCreate {
		early = "{}"
	}
	created, err := k.client.Create(t.Context(), merged(t, k.valid(t, name), early), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	k.cleanup(t, name)
	sameStatus(t, "create wrote status", plain, created)
	updated, err := k.client.Update(t.Context(), merged(t, created, k.Status), metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sameStatus(t, "update wrote status", created, updated)

	both := merged(t, merged(t, updated, k.Status), k.Update)
	both.SetLabels(map[string]string{"kindtest": "status"})
	written, err := k.client.UpdateStatus(t.Context(), both, metav1.UpdateOptions{})
	if err != nil {
		t.Fatalf("update of status: %v", err)
	}
	if cmp.Equal(written.Object["status"], updated.Object["status"]) {
		t.Error("an update of status did not write status")
	}
	if diff := cmp.Diff(updated.Object["spec"], written.Object["spec"]); diff != "" {
		t.Errorf("an update of status wrote spec:\n%s", diff)
	}
	if got := written.GetLabels()["kindtest"] != ""; got != k.StatusMetadata {
		t.Errorf("an update of status wrote labels: %t, want %t", got, k.StatusMetadata)
	}
	if written.GetGeneration() != updated.GetGeneration() {
		t.Error("an update of status changed generation")
	}
	missing := k.valid(t, k.Name("kindtest-status-missing"))
	missing.SetResourceVersion("")
	if _, err := k.client.UpdateStatus(t.Context(), missing, metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("update of the status of nothing: %v, want NotFound", err)
	}
	if _, err := k.client.ApplyStatus(t.Context(), missing.GetName(), missing, metav1.ApplyOptions{FieldManager: "kindtest"}); !apierrors.IsNotFound(err) {
		t.Errorf("apply of the status of nothing: %v, want NotFound", err)
	}
}

// sameStatus compares all but when something happened.
func sameStatus(t *testing.T, complaint string, want, got *unstructured.Unstructured) {
	t.Helper()
	times := cmp.FilterValues(func(a, b string) bool {
		_, errA := time.Parse(time.RFC3339, a)
		_, errB := time.Parse(time.RFC3339, b)
		return errA == nil && errB == nil
	}, cmp.Ignore())
	if diff := cmp.Diff(want.Object["status"], got.Object["status"], times); diff != "" {
		t.Errorf("%s (-want +got):\n%s", complaint, diff)
	}
}

// statusApply checks what server-side apply owns: never status through the main
// endpoint, nothing but status through /status.
func (k *tester) statusApply(t *testing.T) {
	if k.Status == "" {
		t.Skip("the kind has no status")
	}
	name := k.Name("kindtest-status-apply")
	obj := merged(t, k.valid(t, name), k.Status)
	if _, err := k.client.Apply(t.Context(), name, obj, metav1.ApplyOptions{FieldManager: "kindtest-main"}); err != nil {
		t.Fatal(err)
	}
	k.cleanup(t, name)
	if _, err := k.client.ApplyStatus(t.Context(), name, obj, metav1.ApplyOptions{FieldManager: "kindtest-status", Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.client.Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"labels":{"kindtest":"x"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, entry := range k.get(t, name).GetManagedFields() {
		owned := entry.FieldsV1.GetRawString()
		hasStatus, hasSpec := strings.Contains(owned, `"f:status"`), strings.Contains(owned, `"f:spec"`)
		if entry.Manager == "kindtest-main" && hasStatus {
			t.Errorf("apply to the main endpoint owns status: %s", owned)
		}
		if entry.Manager == "kindtest-status" && (hasSpec || !hasStatus) {
			t.Errorf("apply to /status owns %s", owned)
		}
	}
}
