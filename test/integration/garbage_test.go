// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/stoa-project/stoa/stoatest"
)

// Resources of the families below.
var (
	configMapResource = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	secretResource    = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	nodeResource      = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	roleResource      = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}
)

// family makes objects that own each other, in one namespace of a server.
type family struct {
	*testing.T

	client    dynamic.Interface
	namespace string
}

func newFamily(t *testing.T, server *stoatest.Server, namespace string) *family {
	t.Helper()
	f := &family{T: t, client: dynamic.NewForConfigOrDie(server.Config()), namespace: namespace}
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	_, err := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Namespaces().Create(t.Context(), made, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	return f
}

var kindsOf = map[schema.GroupVersionResource]string{
	configMapResource: "ConfigMap", secretResource: "Secret", nodeResource: "Node", roleResource: "ClusterRole",
}

func (f *family) of(resource schema.GroupVersionResource) dynamic.ResourceInterface {
	if resource == nodeResource || resource == roleResource {
		return f.client.Resource(resource)
	}
	return f.client.Resource(resource).Namespace(f.namespace)
}

// make makes an object with owners.
func (f *family) make(resource schema.GroupVersionResource, name string, owners ...metav1.OwnerReference) *unstructured.Unstructured {
	f.Helper()
	kind := kindsOf[resource]
	if kind == "" {
		kind = "Widget"
	}
	obj := custom(resource, kind, name, map[string]any{"color": "red"})
	if kind != "Widget" {
		delete(obj.Object, "spec")
	}
	obj.SetOwnerReferences(owners)
	made, err := f.of(resource).Create(f.Context(), obj, metav1.CreateOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return made
}

// owns is a reference to an owner that waits for its dependents if it is asked to.
func owns(owner *unstructured.Unstructured) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: owner.GetAPIVersion(), Kind: owner.GetKind(), Name: owner.GetName(), UID: owner.GetUID(), BlockOwnerDeletion: new(true),
	}
}

func (f *family) delete(resource schema.GroupVersionResource, name string, policy metav1.DeletionPropagation) {
	f.Helper()
	if err := f.of(resource).Delete(f.Context(), name, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
		f.Fatal(err)
	}
}

// hold gives an object a finalizer, and release takes all away.
func (f *family) hold(resource schema.GroupVersionResource, name string) {
	f.Helper()
	f.patch(resource, name, `{"metadata":{"finalizers":["example.com/hold"]}}`)
}

func (f *family) release(resource schema.GroupVersionResource, name string) {
	f.Helper()
	f.patch(resource, name, `{"metadata":{"finalizers":null}}`)
}

func (f *family) patch(resource schema.GroupVersionResource, name, patch string) {
	f.Helper()
	if _, err := f.of(resource).Patch(f.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		f.Fatal(err)
	}
}

// gone waits until objects are gone.
func (f *family) gone(resource schema.GroupVersionResource, names ...string) {
	f.Helper()
	for _, name := range names {
		eventually(f, func() string {
			if _, err := f.of(resource).Get(f.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				return resource.Resource + " " + name + " is still there: " + text(err)
			}
			return ""
		})
	}
}

// owners waits until an object has the owners, by name, with the finalizers and marked
// as deleted or not, as in "a b [foregroundDeletion] deleted".
func (f *family) is(resource schema.GroupVersionResource, name, want string) {
	f.Helper()
	eventually(f, func() string {
		found, err := f.of(resource).Get(f.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		var parts []string
		for _, ref := range found.GetOwnerReferences() {
			parts = append(parts, ref.Name)
		}
		if finalizers := found.GetFinalizers(); len(finalizers) > 0 {
			parts = append(parts, "["+strings.Join(finalizers, " ")+"]")
		}
		if found.GetDeletionTimestamp() != nil {
			parts = append(parts, "deleted")
		}
		return cmp.Diff(want, strings.Join(parts, " "))
	})
}

// TestGarbage goes through what becomes of dependents.
func TestGarbage(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	for name, run := range map[string]func(*family){
		"background": background,
		"foreground": foreground,
		"blocking":   blocking,
		"circle":     circle,
		"orphan":     orphan,
		"absent":     absentOwners,
		"two-owners": twoOwners,
		"cluster":    clusterScoped,
		"elsewhere":  elsewhere,
		"unknown":    unknownKind,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(newFamily(t, server, name))
		})
	}
}

// background deletes three generations, the youngest last.
func background(f *family) {
	a := f.make(configMapResource, "a")
	b := f.make(secretResource, "b", owns(a))
	c := f.make(configMapResource, "c", owns(b))
	f.make(secretResource, "d", owns(c))
	f.make(secretResource, "other")
	f.delete(configMapResource, "a", metav1.DeletePropagationBackground)
	f.gone(secretResource, "b", "d")
	f.gone(configMapResource, "c")
	f.is(secretResource, "other", "")
}

// foreground deletes the youngest first: an owner that waits is there until then.
func foreground(f *family) {
	a := f.make(configMapResource, "a")
	b := f.make(secretResource, "b", owns(a))
	f.make(configMapResource, "c", owns(b))
	f.hold(configMapResource, "c")
	f.delete(configMapResource, "a", metav1.DeletePropagationForeground)
	f.is(configMapResource, "c", "b [example.com/hold] deleted")
	f.is(secretResource, "b", "a [foregroundDeletion] deleted")
	f.is(configMapResource, "a", "[foregroundDeletion] deleted")
	f.release(configMapResource, "c")
	f.gone(configMapResource, "a", "c")
	f.gone(secretResource, "b")
	f.make(configMapResource, "alone")
	f.delete(configMapResource, "alone", metav1.DeletePropagationForeground)
	f.gone(configMapResource, "alone")
}

// blocking has dependents that an owner need not wait for, or no longer.
func blocking(f *family) {
	a := f.make(configMapResource, "a")
	free := owns(a)
	free.BlockOwnerDeletion = nil
	for name, ref := range map[string]metav1.OwnerReference{"free": free, "freed": owns(a), "given-up": owns(a)} {
		f.make(secretResource, name, ref)
		f.hold(secretResource, name)
	}
	f.delete(configMapResource, "a", metav1.DeletePropagationForeground)
	for _, name := range []string{"free", "freed", "given-up"} {
		f.is(secretResource, name, "a [example.com/hold] deleted")
	}
	f.patch(secretResource, "freed", `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"a","uid":"`+string(a.GetUID())+`","blockOwnerDeletion":false}]}}`)
	f.is(configMapResource, "a", "[foregroundDeletion] deleted")
	f.patch(secretResource, "given-up", `{"metadata":{"ownerReferences":null}}`)
	f.gone(configMapResource, "a")
	f.is(secretResource, "freed", "a [example.com/hold] deleted")
	for _, name := range []string{"free", "freed", "given-up"} {
		f.release(secretResource, name)
		f.gone(secretResource, name)
	}
}

// circle has objects that own each other, and are deleted all the same.
func circle(f *family) {
	a := f.make(configMapResource, "a")
	b := f.make(secretResource, "b", owns(a))
	f.patch(configMapResource, "a", `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Secret","name":"b","uid":"`+string(b.GetUID())+`","blockOwnerDeletion":true}]}}`)
	f.delete(configMapResource, "a", metav1.DeletePropagationForeground)
	f.gone(configMapResource, "a")
	f.gone(secretResource, "b")
}

// orphan frees dependents of one owner, and of no other.
func orphan(f *family) {
	a, b := f.make(configMapResource, "a"), f.make(configMapResource, "b")
	f.make(secretResource, "c", owns(a), owns(b))
	f.make(secretResource, "d", owns(a))
	f.delete(configMapResource, "a", metav1.DeletePropagationOrphan)
	f.gone(configMapResource, "a")
	f.is(secretResource, "c", "b")
	f.is(secretResource, "d", "")
}

// absentOwners are owners that never were, or have another UID now.
func absentOwners(f *family) {
	a := f.make(configMapResource, "a")
	other := owns(a)
	other.UID = "8f3c5b1e-1d6f-4a6e-9d55-51d9d6b6c1aa"
	f.make(secretResource, "other-uid", other)
	other.Name = "never"
	f.make(secretResource, "never", other)
	wrong := owns(a)
	wrong.Name = "b"
	f.make(secretResource, "other-name", wrong)
	wrong = owns(a)
	wrong.Kind = "Secret"
	f.make(secretResource, "other-kind", wrong)
	f.make(secretResource, "right", owns(a))
	f.gone(secretResource, "other-uid", "never", "other-name", "other-kind")
	f.is(secretResource, "right", "a")
	f.is(configMapResource, "a", "")
}

// twoOwners keep what they own until both are gone.
func twoOwners(f *family) {
	a, b := f.make(configMapResource, "a"), f.make(configMapResource, "b")
	f.make(secretResource, "c", owns(a), owns(b))
	f.delete(configMapResource, "a", metav1.DeletePropagationBackground)
	f.is(secretResource, "c", "b")
	f.delete(configMapResource, "b", metav1.DeletePropagationForeground)
	f.gone(secretResource, "c")
	f.gone(configMapResource, "b")
}

// clusterScoped has an owner without a namespace, of objects with and without one.
func clusterScoped(f *family) {
	a := f.make(nodeResource, "a")
	f.make(configMapResource, "b", owns(a))
	f.make(roleResource, "garbage-c", owns(a))
	f.delete(nodeResource, "a", metav1.DeletePropagationForeground)
	f.gone(configMapResource, "b")
	f.gone(roleResource, "garbage-c")
	f.gone(nodeResource, "a")
}

// elsewhere has owners in another namespace. They do not count where there are
// namespaces, and cannot be judged where there are none.
func elsewhere(f *family) {
	far := f.client.Resource(configMapResource).Namespace("default")
	a, err := far.Create(f.Context(), custom(configMapResource, "ConfigMap", "far", nil), metav1.CreateOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.make(roleResource, "garbage-far", owns(a))
	f.make(secretResource, "b", owns(a))
	f.gone(secretResource, "b")
	f.is(roleResource, "garbage-far", "far")
	for _, tc := range []struct{ namespace, name, of string }{{f.namespace, "b", f.namespace}, {"default", "garbage-far", ""}} {
		events := f.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "events"}).Namespace(tc.namespace)
		eventually(f, func() string {
			list, err := events.List(f.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=" + tc.name})
			if err != nil || len(list.Items) == 0 {
				return "no event of " + tc.name + ": " + text(err)
			}
			got := list.Items[0].Object
			return cmp.Diff("Warning OwnerRefInvalidNamespace ownerRef [v1/ConfigMap, namespace: "+tc.of+", name: far, uid: "+string(a.GetUID())+`] does not exist in namespace "`+tc.of+`"`,
				got["type"].(string)+" "+got["reason"].(string)+" "+got["message"].(string))
		})
	}
}

// unknownKind has an owner of a kind that is not served: nobody knows whether it is
// there, so the object stays.
func unknownKind(f *family) {
	f.make(secretResource, "a", metav1.OwnerReference{APIVersion: "none.example.com/v1", Kind: "None", Name: "n", UID: "8f3c5b1e-1d6f-4a6e-9d55-51d9d6b6c1ab"})
	gone := f.make(configMapResource, "b")
	f.make(secretResource, "c", owns(gone), metav1.OwnerReference{APIVersion: "none.example.com/v1", Kind: "None", Name: "n", UID: "8f3c5b1e-1d6f-4a6e-9d55-51d9d6b6c1ab"})
	f.delete(configMapResource, "b", metav1.DeletePropagationBackground)
	f.is(secretResource, "c", "n")
	f.is(secretResource, "a", "n")
}

// TestGarbageOfKinds has an owner of each of many kinds, and deletes it in each way.
func TestGarbageOfKinds(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	f := newFamily(t, server, "kinds")
	for _, tc := range deletable {
		for policy, gone := range map[string]bool{"Background": true, "Foreground": true, "Orphan": false} {
			t.Run(path.Base(tc.path)+"/"+policy, func(t *testing.T) {
				t.Parallel()
				name := strings.ToLower(policy) + "-" + path.Base(tc.path)
				object := map[string]any{}
				if err := yaml.Unmarshal([]byte(tc.object), &object); err != nil {
					t.Fatal(err)
				}
				object["metadata"] = map[string]any{"name": name}
				body, err := json.Marshal(object)
				if err != nil {
					t.Fatal(err)
				}
				at := strings.ReplaceAll(tc.path, "{}", f.namespace)
				made := do(t, request{method: http.MethodPost, path: at, body: body, config: server.Config()})
				if made.code != http.StatusCreated {
					t.Fatalf("create: %d %s", made.code, made.body)
				}
				at += "/" + name
				do(t, request{
					method: http.MethodPatch, path: at, body: []byte(`{"metadata":{"finalizers":null}}`), config: server.Config(),
					header: map[string]string{"Content-Type": string(types.MergePatchType)},
				})
				own := &family{T: t, client: f.client, namespace: f.namespace}
				own.make(configMapResource, name+"-owned", owns(&unstructured.Unstructured{Object: made.object(t)}))
				if deleted := do(t, request{method: http.MethodDelete, path: at + "?propagationPolicy=" + policy, config: server.Config()}); deleted.code != http.StatusOK {
					t.Fatalf("delete: %d %s", deleted.code, deleted.body)
				}
				eventually(t, func() string {
					if left := do(t, request{path: at, config: server.Config()}); left.code != http.StatusNotFound {
						return "the owner is still there: " + string(left.body)
					}
					return ""
				})
				if gone {
					own.gone(configMapResource, name+"-owned")
				} else {
					own.is(configMapResource, name+"-owned", "")
				}
			})
		}
	}
}

// TestGarbageCustomResources has custom resources own and be owned, and definitions
// come and go meanwhile.
func TestGarbageCustomResources(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	f := newFamily(t, server, "custom")
	widget := defineOn(t, server, unique(t)+".example.com", widgets)
	a := f.make(configMapResource, "a")
	b := f.make(widget, "b", owns(a))
	f.make(secretResource, "c", owns(b))
	f.delete(configMapResource, "a", metav1.DeletePropagationBackground)
	f.gone(widget, "b")
	f.gone(secretResource, "c")

	a = f.make(widget, "a")
	f.make(widget, "b", owns(a))
	f.delete(widget, "a", metav1.DeletePropagationOrphan)
	f.gone(widget, "a")
	f.is(widget, "b", "")

	a = f.make(widget, "a")
	b = f.make(configMapResource, "b", owns(a))
	f.make(widget, "c", owns(b))
	f.delete(widget, "a", metav1.DeletePropagationForeground)
	f.gone(widget, "a", "c")
	f.gone(configMapResource, "b")

	// What its objects own goes with a definition.
	f.make(secretResource, "d", owns(f.make(widget, "d")))
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	if err := f.client.Resource(definitions).Delete(t.Context(), widget.GroupResource().String(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.gone(secretResource, "d")
}

// TestGarbageRestart finds out at a start what happened without it.
func TestGarbageRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--controllers=*,-garbage-collector-controller"))
	f := newFamily(t, server, "restart")
	widget := defineOn(t, server, unique(t)+".example.com", widgets)
	for _, resource := range []schema.GroupVersionResource{configMapResource, widget} {
		for _, policy := range []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan} {
			name := strings.ToLower(string(policy))
			owner := f.make(resource, name)
			f.make(secretResource, name+"-"+resource.Resource, owns(owner))
			f.make(widget, name+"-"+resource.Resource, owns(owner))
			f.delete(resource, name, policy)
		}
	}
	f.make(secretResource, "kept", owns(f.make(configMapResource, "keeps")))
	f.gone(configMapResource, "background")
	f.is(configMapResource, "foreground", "[foregroundDeletion] deleted")
	f.is(configMapResource, "orphan", "[orphan] deleted")
	server.Stop()
	server = stoatest.Start(t, stoatest.WithDataDir(dir))
	f.client = dynamic.NewForConfigOrDie(server.Config())
	for _, resource := range []schema.GroupVersionResource{configMapResource, widget} {
		f.gone(resource, "background", "foreground", "orphan")
		for _, of := range []schema.GroupVersionResource{secretResource, widget} {
			f.gone(of, "background-"+resource.Resource, "foreground-"+resource.Resource)
			f.is(of, "orphan-"+resource.Resource, "")
		}
	}
	f.is(secretResource, "kept", "keeps")
}
