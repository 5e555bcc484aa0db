// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
)

// TestPatch sends patches of each kind to a config map and a tenant.
func TestPatch(t *testing.T) {
	t.Parallel()
	const jsonPatch, merge, strategic = "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"
	configMap := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s","finalizers":["example.com/a"]},"data":{"a":"1","b":"2"}}`
	tenant := `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"%s"},"spec":{"displayName":"a","owners":[{"kind":"User","name":"x"}]}}`
	for _, tc := range []struct {
		name, path, obj, mediaType, patch string
		code                              int
		message                           string
		want                              func(obj map[string]any) any
		value                             any
	}{
		{name: "json", path: configMaps, obj: configMap, mediaType: jsonPatch, code: 200,
			patch: `[{"op":"test","path":"/data/a","value":"1"},{"op":"replace","path":"/data/a","value":"3"},{"op":"remove","path":"/data/b"},{"op":"add","path":"/data/c","value":"4"}]`,
			want:  field("data"), value: map[string]any{"a": "3", "c": "4"}},
		{name: "json-test-fails", path: configMaps, obj: configMap, mediaType: jsonPatch, code: 422,
			patch:   `[{"op":"test","path":"/data/a","value":"2"}]`,
			message: "the server rejected our request due to an error in our request"},
		{name: "json-no-such-path", path: configMaps, obj: configMap, mediaType: jsonPatch, code: 422,
			patch:   `[{"op":"remove","path":"/data/z"}]`,
			message: "the server rejected our request due to an error in our request"},
		{name: "json-broken", path: configMaps, obj: configMap, mediaType: jsonPatch, code: 400,
			patch: `[{`, message: "invalid JSON patch"},
		{name: "merge", path: configMaps, obj: configMap, mediaType: merge, code: 200,
			patch: `{"data":{"a":"3","b":null}}`, want: field("data"), value: map[string]any{"a": "3"}},
		{name: "merge-list-replaces", path: configMaps, obj: configMap, mediaType: merge, code: 200,
			patch: `{"metadata":{"finalizers":["example.com/b"]}}`, want: field("metadata", "finalizers"), value: []any{"example.com/b"}},
		{name: "merge-broken", path: configMaps, obj: configMap, mediaType: merge, code: 400,
			patch: `{"data":`, message: "invalid JSON patch"},
		{name: "merge-name", path: configMaps, obj: configMap, mediaType: merge, code: 400,
			patch: `{"metadata":{"name":"other"}}`, message: "the name of the object (other) does not match the name on the URL (%s)"},
		{name: "merge-stale", path: configMaps, obj: configMap, mediaType: merge, code: 409,
			patch: `{"metadata":{"resourceVersion":"1"},"data":{"a":"x"}}`, message: `Operation cannot be fulfilled on configmaps "%s": the object has been modified; please apply your changes to the latest version and try again`},
		{name: "strategic-list-merges", path: configMaps, obj: configMap, mediaType: strategic, code: 200,
			patch: `{"metadata":{"finalizers":["example.com/b"]}}`, want: field("metadata", "finalizers"), value: []any{"example.com/b", "example.com/a"}},
		{name: "strategic-delete", path: configMaps, obj: configMap, mediaType: strategic, code: 200,
			patch: `{"data":{"$patch":"replace","z":"9"}}`, want: field("data"), value: map[string]any{"z": "9"}},
		{name: "ours-json", path: tenants, obj: tenant, mediaType: jsonPatch, code: 200,
			patch: `[{"op":"replace","path":"/spec/displayName","value":"b"}]`, want: field("spec", "displayName"), value: "b"},
		{name: "ours-merge", path: tenants, obj: tenant, mediaType: merge, code: 200,
			patch: `{"spec":{"displayName":"b"}}`, want: field("spec", "displayName"), value: "b"},
		{name: "ours-strategic", path: tenants, obj: tenant, mediaType: strategic, code: 200,
			patch: `{"spec":{"displayName":"b"}}`, want: field("spec", "displayName"), value: "b"},
		{name: "ours-invalid", path: tenants, obj: tenant, mediaType: merge, code: 422,
			patch: `{"spec":{"namespaces":{"limit":-1}}}`, message: `Tenant.tenancy.stoa.dev "%s" is invalid: spec.namespaces.limit: Invalid value: -1: must be greater than or equal to 0`},
		{name: "ours-unknown", path: tenants + "?fieldValidation=Strict", obj: tenant, mediaType: merge, code: 422,
			patch: `{"spec":{"nope":1}}`, message: ` "" is invalid: patch: Invalid value: ...: strict decoding error: unknown field "spec.nope"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			name := unique(t)
			path, query, _ := strings.Cut(tc.path, "?")
			if got := do(t, request{method: "POST", path: path, body: fmt.Appendf(nil, tc.obj, name)}); got.code != 201 {
				t.Fatalf("create: %d %s", got.code, got.body)
			}
			got := do(t, request{method: "PATCH", path: path + "/" + name + "?" + query, body: []byte(tc.patch), header: map[string]string{"Content-Type": tc.mediaType}})
			if got.code != tc.code {
				t.Fatalf("answer %d, want %d: %s", got.code, tc.code, got.body)
			}
			if tc.want != nil {
				if diff := cmp.Diff(tc.value, tc.want(got.object(t))); diff != "" {
					t.Errorf("result (-want +got):\n%s", diff)
				}
				return
			}
			want := strings.ReplaceAll(tc.message, "%s", name)
			message := got.status(t).Message
			if before, after, ok := strings.Cut(want, "..."); ok && strings.HasPrefix(message, before) && strings.HasSuffix(message, after) {
				return // the whole object is between
			}
			if diff := cmp.Diff(want, message); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// field returns a function that reads a field of an object.
func field(path ...string) func(map[string]any) any {
	return func(obj map[string]any) any {
		var at any = obj
		for _, step := range path {
			below, _ := at.(map[string]any)
			at = below[step]
		}
		return at
	}
}

// TestDryRun answers as if it wrote, and writes nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	all := []string{metav1.DryRunAll}
	created := createConfigMap(t, client, "kept", "1")
	changed := created.DeepCopy()
	changed.Data["value"] = "2"
	check := func(verb string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", verb, err)
		}
		got, err := client.Get(t.Context(), "kept", metav1.GetOptions{})
		if err != nil {
			t.Fatalf("get after %s: %v", verb, err)
		}
		if diff := cmp.Diff(created, got); diff != "" {
			t.Errorf("%s changed the object (-want +got):\n%s", verb, diff)
		}
	}
	out, err := client.Update(t.Context(), changed, metav1.UpdateOptions{DryRun: all})
	if err == nil && out.Data["value"] != "2" {
		t.Errorf("dry-run update answers %v", out.Data)
	}
	check("update", err)
	for _, patch := range []types.PatchType{types.MergePatchType, types.StrategicMergePatchType} {
		out, err := client.Patch(t.Context(), "kept", patch, []byte(`{"data":{"value":"2"}}`), metav1.PatchOptions{DryRun: all})
		if err == nil && out.Data["value"] != "2" {
			t.Errorf("dry-run %s answers %v", patch, out.Data)
		}
		check(string(patch), err)
	}
	_, err = client.Patch(t.Context(), "kept", types.ApplyPatchType, []byte(`{"apiVersion":"v1","kind":"ConfigMap","data":{"x":"y"}}`), metav1.PatchOptions{DryRun: all, FieldManager: "me"})
	check("apply", err)
	check("delete", client.Delete(t.Context(), "kept", metav1.DeleteOptions{DryRun: all}))
	check("deletecollection", client.DeleteCollection(t.Context(), metav1.DeleteOptions{DryRun: all}, metav1.ListOptions{}))

	fresh, err := client.Create(t.Context(), newConfigMap("fresh", "1"), metav1.CreateOptions{DryRun: all})
	if err != nil || fresh.UID == "" || fresh.ResourceVersion != "" {
		t.Errorf("dry-run create: UID %q, resourceVersion %q, %v", fresh.UID, fresh.ResourceVersion, err)
	}
	if _, err := client.Create(t.Context(), newConfigMap("kept", "1"), metav1.CreateOptions{DryRun: all}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("dry-run create of what is there: %v, want AlreadyExists", err)
	}
	if err := client.Delete(t.Context(), "fresh", metav1.DeleteOptions{DryRun: all}); !apierrors.IsNotFound(err) {
		t.Errorf("dry-run delete of what is not there: %v, want NotFound", err)
	}
}

// TestCounters loses no increment, in one object that eight clients fight for.
func TestCounters(t *testing.T) {
	t.Parallel()
	const workers, times = 8, 15
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	createConfigMap(t, client, "counter", "0")
	// Not retry.DefaultBackoff, whose waits grow until it gives up.
	backoff := wait.Backoff{Duration: 5 * time.Millisecond, Jitter: 2, Steps: math.MaxInt}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range times {
				err := retry.OnError(backoff, apierrors.IsConflict, func() error {
					obj, err := client.Get(t.Context(), "counter", metav1.GetOptions{})
					if err != nil {
						return err
					}
					value, err := strconv.Atoi(obj.Data["value"])
					if err != nil {
						return err
					}
					obj.Data["value"] = strconv.Itoa(value + 1)
					_, err = client.Update(t.Context(), obj, metav1.UpdateOptions{})
					return err
				})
				if err != nil {
					t.Errorf("increment: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	obj, err := client.Get(t.Context(), "counter", metav1.GetOptions{})
	if err != nil || obj.Data["value"] != strconv.Itoa(workers*times) {
		t.Errorf("counter is %q, want %d (%v)", obj.Data["value"], workers*times, err)
	}
}

// TestConcurrentPatches need no retry: the server merges them.
func TestConcurrentPatches(t *testing.T) {
	t.Parallel()
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	createConfigMap(t, client, "shared", "0")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			patch := fmt.Appendf(nil, `{"data":{"k%d":"v"}}`, i)
			if _, err := client.Patch(t.Context(), "shared", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				t.Errorf("patch: %v", err)
			}
		})
	}
	wg.Wait()
	obj, err := client.Get(t.Context(), "shared", metav1.GetOptions{})
	if err != nil || len(obj.Data) != 9 {
		t.Errorf("data is %v, want 9 keys (%v)", obj.Data, err)
	}
}

// TestPreconditions are about identity and state.
func TestPreconditions(t *testing.T) {
	t.Parallel()
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	obj := createConfigMap(t, client, "a", "1")
	uid, version := types.UID("other"), "1"
	for _, tc := range []struct {
		name string
		pre  metav1.Preconditions
		want string
	}{
		{"uid", metav1.Preconditions{UID: &uid}, `the UID in the precondition (other) does not match the UID in record (` + string(obj.UID) + `). The object might have been deleted and then recreated`},
		{"resourceVersion", metav1.Preconditions{ResourceVersion: &version}, `the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (` + obj.ResourceVersion + `). The object might have been modified`},
	} {
		err := client.Delete(t.Context(), "a", metav1.DeleteOptions{Preconditions: &tc.pre})
		if !apierrors.IsConflict(err) || !strings.HasSuffix(text(err), tc.want) {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
	}
	if err := client.Delete(t.Context(), "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &obj.UID, ResourceVersion: &obj.ResourceVersion}}); err != nil {
		t.Error(err)
	}
	obj.UID, obj.ResourceVersion = "", ""
	if _, err := client.Update(t.Context(), obj, metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("update of what is gone: %v, want NotFound", err)
	}
}

// TestUnconditionalUpdate is for kinds that Kubernetes allows it for, only.
func TestUnconditionalUpdate(t *testing.T) {
	t.Parallel()
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	obj := createConfigMap(t, client, "a", "1")
	obj.ResourceVersion, obj.Data["value"] = "", "2"
	if _, err := client.Update(t.Context(), obj, metav1.UpdateOptions{}); err != nil {
		t.Errorf("config map: %v", err)
	}
	all := tenancyClient(t).TenancyV1().Tenants()
	tenant, err := all.Create(t.Context(), &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: unique(t)}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tenant.ResourceVersion = ""
	_, err = all.Update(t.Context(), tenant, metav1.UpdateOptions{})
	want := `tenants.tenancy.stoa.dev "` + tenant.Name + `" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update`
	if diff := cmp.Diff(want, text(err)); diff != "" {
		t.Errorf("tenant: error (-want +got):\n%s", diff)
	}
}

func TestGenerateName(t *testing.T) {
	t.Parallel()
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	seen := map[string]bool{}
	for range 20 {
		obj := newConfigMap("", "1")
		obj.GenerateName = "generated-"
		out, err := client.Create(t.Context(), obj, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(out.Name, "generated-") || len(out.Name) != len("generated-")+5 || seen[out.Name] {
			t.Errorf("name is %q", out.Name)
		}
		seen[out.Name] = true
	}
}
