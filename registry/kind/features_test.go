// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/apis/tenancy/install"
	"github.com/stoa-project/stoa/registry/core"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// limits is the kind Tenant with the features of package kind that the built-in
// kinds do not use. Its types carry tags of declarative validation.
func limits() kind.Group {
	return kind.Group{
		Name: tenancy.GroupName, Install: install.Install, StorageVersion: "v1",
		Resources: []kind.Resource{{Versions: []string{"v1"}, Kind: kind.New(kind.Definition[tenancy.Tenant]{
			Kind: "Tenant", Plural: "tenants", ClusterScoped: true,
			Spec:   kind.PartOf(func(t *tenancy.Tenant) *tenancy.TenantSpec { return &t.Spec }),
			Status: kind.PartOf(func(t *tenancy.Tenant) *tenancy.TenantStatus { return &t.Status }),
			Strategy: kind.Strategy[tenancy.Tenant]{
				Canonicalize: func(t *tenancy.Tenant) { t.Spec.DisplayName = strings.TrimSpace(t.Spec.DisplayName) },
				SpecChanged: func(obj, old *tenancy.Tenant) bool {
					return obj.Spec.Suspended != old.Spec.Suspended || limit(obj) != limit(old)
				},
				Warnings: func(_ context.Context, _, old *tenancy.Tenant) []string {
					if old == nil {
						return nil
					}
					return []string{"changed"}
				},
			},
			Subresources: []kind.Subresource[tenancy.Tenant]{{
				Name: "placement", Path: []string{"spec", "placement"},
				Part: kind.PartOf(func(t *tenancy.Tenant) *tenancy.Placement { return &t.Spec.Placement }),
			}},
			Scale: &kind.Scale[tenancy.Tenant]{
				Path:        []string{"spec", "namespaces", "limit"},
				Replicas:    limit,
				SetReplicas: func(t *tenancy.Tenant, n int32) { t.Spec.Namespaces.Limit = &n },
				Status:      func(t *tenancy.Tenant) int32 { return t.Status.Namespaces.Count },
				Selector:    func(t *tenancy.Tenant) string { return "tenant=" + t.Name },
			},
			Fields: []kind.Field[tenancy.Tenant]{
				{Path: "spec.displayName", Index: true, Value: func(t *tenancy.Tenant) string { return t.Spec.DisplayName }},
			},
			CreateOnUpdate:      true,
			UnconditionalUpdate: true,
		})}},
	}
}

func limit(t *tenancy.Tenant) int32 { return ptr.Deref(t.Spec.Namespaces.Limit, 0) }

// fixture is a server with that kind.
type fixture struct {
	*testing.T
	tenants dynamic.ResourceInterface
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	api := stoatest.Start(t, stoatest.WithOptions(func(o *server.Options) {
		o.Groups = []kind.Group{core.Group(), limits()}
	}))
	client, err := dynamic.NewForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	return fixture{t, client.Resource(schema.GroupVersionResource{Group: tenancy.GroupName, Version: "v1", Resource: "tenants"})}
}

func tenant(name, spec string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	text := `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"` + name + `"},"spec":` + spec + `}`
	if err := obj.UnmarshalJSON([]byte(text)); err != nil {
		panic(err)
	}
	return obj
}

func (f fixture) create(t *testing.T, name, spec string) *unstructured.Unstructured {
	t.Helper()
	obj, err := f.tenants.Create(t.Context(), tenant(name, spec), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, test := range map[string]func(*testing.T){
		"Scale": f.scale, "ScaleApply": f.scaleApply, "Subresource": f.subresource, "CreateOnUpdate": f.createOnUpdate,
		"SpecChanged": f.specChanged, "Canonicalize": f.canonicalize, "Index": f.index,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func (f fixture) scaleOf(t *testing.T, name string) autoscalingv1.Scale {
	t.Helper()
	obj, err := f.tenants.Get(t.Context(), name, metav1.GetOptions{}, "scale")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	var scale autoscalingv1.Scale
	if err := json.Unmarshal(data, &scale); err != nil {
		t.Fatal(err)
	}
	return scale
}

func (f fixture) scale(t *testing.T) {
	created := f.create(t, "scale", `{"displayName":"scale","namespaces":{"limit":2}}`)
	got := f.scaleOf(t, "scale")
	if got.APIVersion != "autoscaling/v1" || got.Kind != "Scale" || got.Spec.Replicas != 2 || got.Status.Selector != "tenant=scale" || got.UID != created.GetUID() {
		t.Errorf("scale is %+v", got)
	}
	patch := func(text string) error {
		_, err := f.tenants.Patch(t.Context(), "scale", types.MergePatchType, []byte(text), metav1.PatchOptions{}, "scale")
		return err
	}
	if err := patch(`{"spec":{"replicas":5}}`); err != nil {
		t.Fatal(err)
	}
	obj, err := f.tenants.Get(t.Context(), "scale", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n, _, _ := unstructured.NestedInt64(obj.Object, "spec", "namespaces", "limit"); n != 5 || obj.GetGeneration() != 2 {
		t.Errorf("limit is %d, generation %d, want 5 and 2", n, obj.GetGeneration())
	}
	for text, want := range map[string]string{
		`{"spec":{"replicas":-1}}`:                                   `Scale.autoscaling "scale" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0`,
		`{"metadata":{"resourceVersion":"1"},"spec":{"replicas":6}}`: `Operation cannot be fulfilled on tenants.tenancy.stoa.dev "scale": the object has been modified; please apply your changes to the latest version and try again`,
		`{"metadata":{"uid":"x"},"spec":{"replicas":6}}`:             `Operation cannot be fulfilled on tenants.tenancy.stoa.dev "scale": Precondition failed: UID in precondition: x, UID in object meta: ` + string(created.GetUID()),
	} {
		if err := patch(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := f.tenants.Patch(t.Context(), "missing", types.MergePatchType, []byte(`{"spec":{"replicas":1}}`), metav1.PatchOptions{}, "scale"); !apierrors.IsNotFound(err) {
		t.Errorf("scale of nothing: %v, want NotFound", err)
	}
}

// scaleApply checks that who scales by server-side apply owns the number on the
// object, and gets in the way of others.
func (f fixture) scaleApply(t *testing.T) {
	if _, err := f.tenants.Apply(t.Context(), "apply", tenant("apply", `{"displayName":"apply","namespaces":{"limit":2}}`), metav1.ApplyOptions{FieldManager: "owner"}); err != nil {
		t.Fatal(err)
	}
	scale := []byte(`{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"apply"},"spec":{"replicas":7}}`)
	apply := func(force bool) error {
		_, err := f.tenants.Patch(t.Context(), "apply", types.ApplyPatchType, scale, metav1.PatchOptions{FieldManager: "scaler", Force: &force}, "scale")
		return err
	}
	if err := apply(false); !apierrors.IsConflict(err) {
		t.Errorf("apply of a number that another owns: %v, want Conflict", err)
	}
	if err := apply(true); err != nil {
		t.Fatal(err)
	}
	_, err := f.tenants.Apply(t.Context(), "apply", tenant("apply", `{"displayName":"apply","namespaces":{"limit":3}}`), metav1.ApplyOptions{FieldManager: "owner"})
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `"scaler"`) {
		t.Errorf("apply against the scaler: %v, want Conflict", err)
	}
}

func (f fixture) subresource(t *testing.T) {
	f.create(t, "sub", `{"displayName":"sub"}`)
	got, err := f.tenants.Patch(t.Context(), "sub", types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"a":"b"}},"spec":{"displayName":"other","placement":{"nodeSelector":{"pool":"x"}}}}`), metav1.PatchOptions{}, "placement")
	if err != nil {
		t.Fatal(err)
	}
	pool, _, _ := unstructured.NestedString(got.Object, "spec", "placement", "nodeSelector", "pool")
	display, _, _ := unstructured.NestedString(got.Object, "spec", "displayName")
	if pool != "x" || display != "sub" || len(got.GetLabels()) != 0 {
		t.Errorf("got pool %q, displayName %q, labels %v", pool, display, got.GetLabels())
	}
}

func (f fixture) createOnUpdate(t *testing.T) {
	obj := tenant("put", `{"displayName":"put"}`)
	if _, err := f.tenants.Update(t.Context(), obj, metav1.UpdateOptions{}); err != nil {
		t.Fatalf("create by PUT: %v", err)
	}
	if _, err := f.tenants.Update(t.Context(), tenant("put", `{"displayName":"again"}`), metav1.UpdateOptions{}); err != nil {
		t.Fatalf("PUT without resourceVersion: %v", err)
	}
	if _, err := f.tenants.UpdateStatus(t.Context(), tenant("not-there", `{"displayName":"x"}`), metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("PUT to the status of nothing: %v, want NotFound", err)
	}
}

func (f fixture) specChanged(t *testing.T) {
	f.create(t, "generation", `{"displayName":"a"}`)
	for i, step := range []struct {
		patch string
		want  int64
	}{{`{"spec":{"displayName":"b"}}`, 1}, {`{"spec":{"suspended":true}}`, 2}} {
		got, err := f.tenants.Patch(t.Context(), "generation", types.MergePatchType, []byte(step.patch), metav1.PatchOptions{})
		if err != nil || got.GetGeneration() != step.want {
			t.Errorf("step %d: generation is %d, %v, want %d", i, got.GetGeneration(), err, step.want)
		}
	}
}

func (f fixture) canonicalize(t *testing.T) {
	got := f.create(t, "canonical", `{"displayName":"  much space  "}`)
	if name, _, _ := unstructured.NestedString(got.Object, "spec", "displayName"); name != "much space" {
		t.Errorf("displayName is %q", name)
	}
}

// index lists and watches by the indexed field; an object that changes its value
// leaves one watch and joins another.
func (f fixture) index(t *testing.T) {
	f.create(t, "indexed", `{"displayName":"red"}`)
	f.create(t, "other", `{"displayName":"green"}`)
	red := metav1.ListOptions{FieldSelector: "spec.displayName=red", ResourceVersion: "0"}
	if err := eventually(t, func() bool {
		list, err := f.tenants.List(t.Context(), red)
		return err == nil && len(list.Items) == 1 && list.Items[0].GetName() == "indexed"
	}); err != nil {
		t.Fatal("list by the indexed field did not find the object")
	}
	leaves := f.watch(t, "spec.displayName=red")
	joins := f.watch(t, "spec.displayName=blue")
	wantEvent(t, leaves, watch.Added)
	if _, err := f.tenants.Patch(t.Context(), "indexed", types.MergePatchType, []byte(`{"spec":{"displayName":"blue"}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	wantEvent(t, leaves, watch.Deleted)
	wantEvent(t, joins, watch.Added)
}

func (f fixture) watch(t *testing.T, selector string) watch.Interface {
	t.Helper()
	w, err := f.tenants.Watch(t.Context(), metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return w
}

func wantEvent(t *testing.T, w watch.Interface, want watch.EventType) {
	t.Helper()
	event, ok := <-w.ResultChan()
	if !ok || event.Type != want {
		t.Fatalf("event is %s (%v), want %s", event.Type, event.Object, want)
	}
}

// eventually polls; the watch cache may be a moment behind.
func eventually(t *testing.T, done func() bool) error {
	t.Helper()
	return wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) { return done(), nil })
}
