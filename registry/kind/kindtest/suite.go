// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// Suite says what to test. Objects and patches are YAML.
type Suite struct {
	// Config reaches a server that serves the kind, with every right.
	Config *rest.Config
	// Resource is tested in the version that Valid is written in.
	Resource schema.GroupVersionResource
	// Namespace holds the objects; it must exist. Empty: the kind is cluster-scoped.
	Namespace string
	// Valid is an object with apiVersion, kind and everything that must be set but
	// the name, which each test chooses.
	Valid string
	// Name turns the name that a test chooses into one that the kind allows, another
	// for each. Unset: it allows them all.
	Name func(string) string
	// Update is a merge patch that changes the spec, or the data of a kind without.
	Update string
	// Status is a merge patch that changes the status. Empty: there is no /status.
	Status string
	// StatusOnCreate says that a create writes status too.
	StatusOnCreate bool
	// StatusMetadata says that /status changes metadata too.
	StatusMetadata bool
	// Generation says that the kind counts changes of its spec.
	Generation bool
	// Generations are what it is after a create, a change of labels and Update. Unset:
	// 1, 1 and 2 for a kind that counts, otherwise 0.
	Generations [3]int64
	// Orphans says that a delete that names no policy leaves dependents alone.
	Orphans bool
	// KeepsDeleted says that a deleted object stays until somebody finalises it.
	KeepsDeleted bool
	// Invalid objects and the errors they must get.
	Invalid []Invalid
	// Columns are the headings of kubectl get -o wide, in order.
	Columns []string
	// Cells is how many a row has. Unset: one for each column.
	Cells int
	// Selectors are field selectors and whether Valid, once created, matches.
	Selectors map[string]bool
	// ShortNames as in discovery.
	ShortNames []string
	// Versions are the other versions that must show the same object.
	Versions []string
}

// Invalid is Valid with a mistake.
type Invalid struct {
	// Name of the subtest.
	Name string
	// Patch is the merge patch that makes the mistake.
	Patch string
	// OnUpdate makes the mistake in an update of a valid object. Unset: on create.
	OnUpdate bool
	// Errors are the causes of the answer, "field: message", in any order.
	Errors []string
}

// Run tests the kind.
func Run(t *testing.T, s Suite) {
	t.Helper()
	client, err := dynamic.NewForConfig(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name == nil {
		s.Name = func(name string) string { return name }
	}
	if s.Generation {
		s.Generations = [3]int64{1, 1, 2}
	}
	if s.Cells == 0 {
		s.Cells = len(s.Columns)
	}
	k := &tester{Suite: s, dynamic: client, client: scope(client, s.Resource, s.Namespace)}
	for name, test := range map[string]func(*testing.T){
		"Lifecycle":   k.lifecycle,
		"Garbage":     k.garbage,
		"Watch":       k.watch,
		"Table":       k.table,
		"Selectors":   k.selectors,
		"Invalid":     k.invalid,
		"Apply":       k.apply,
		"DryRun":      k.dryRun,
		"Conflict":    k.conflict,
		"Discovery":   k.discovery,
		"Versions":    k.versions,
		"Status":      k.status,
		"StatusApply": k.statusApply,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// tester is a suite with its clients.
type tester struct {
	Suite
	dynamic dynamic.Interface
	client  dynamic.ResourceInterface
}

func scope(client dynamic.Interface, resource schema.GroupVersionResource, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return client.Resource(resource)
	}
	return client.Resource(resource).Namespace(namespace)
}

// valid returns the valid object under a name; Name has been applied to it.
func (k *tester) valid(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{Object: parse(t, k.Valid)}
	obj.SetName(name)
	obj.SetNamespace(k.Namespace)
	return obj
}

// create creates the valid object and has it deleted when the test is over.
func (k *tester) create(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	out, err := k.client.Create(t.Context(), k.valid(t, name), metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
	k.cleanup(t, name)
	return out
}

func (k *tester) cleanup(t *testing.T, name string) {
	t.Cleanup(func() {
		_ = k.client.Delete(contextWithoutCancel(t), name, background())
		if k.KeepsDeleted { // tests of another version list those of this one
			_, _ = k.client.Patch(contextWithoutCancel(t), name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		}
	})
}

// background deletes at once, whatever the kind does with dependents.
func background() metav1.DeleteOptions {
	policy := metav1.DeletePropagationBackground
	return metav1.DeleteOptions{PropagationPolicy: &policy}
}

func (k *tester) get(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	out, err := k.client.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("get %s: %v", name, err)
	}
	return out
}

// parse reads YAML into JSON's types.
func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("YAML of the suite: %v", err)
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(data); err == nil {
		return obj.Object
	}
	var out map[string]any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("YAML of the suite: %v", err)
	}
	return out
}

// merged returns the object with a merge patch applied.
func merged(t *testing.T, obj *unstructured.Unstructured, patch string) *unstructured.Unstructured {
	t.Helper()
	out := obj.DeepCopy()
	mergeInto(out.Object, parse(t, patch))
	return out
}

// mergeInto is JSON merge patch (RFC 7386) on decoded objects.
func mergeInto(to, patch map[string]any) {
	for key, value := range patch {
		below, isMap := value.(map[string]any)
		switch had, ok := to[key].(map[string]any); {
		case value == nil:
			delete(to, key)
		case isMap && ok:
			mergeInto(had, below)
		case isMap:
			fresh := map[string]any{}
			mergeInto(fresh, below)
			to[key] = fresh
		default:
			to[key] = value
		}
	}
}
