// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package namespace_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/controllers/catalog/catalogtest"
	"github.com/stoa-project/stoa/controllers/namespace"
	"github.com/stoa-project/stoa/controllers/work"
)

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// world is what a controller sees, in the time of a bubble.
type world struct {
	*testing.T
	client   *fake.Clientset
	metadata *metadatafake.FakeMetadataClient
	alone    bool
}

func newWorld(t *testing.T, namespaces []runtime.Object, objects ...runtime.Object) *world {
	t.Helper()
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return &world{T: t, client: fake.NewClientset(namespaces...), metadata: metadatafake.NewSimpleMetadataClient(scheme, objects...)}
}

// run runs a controller for a while.
func (w *world) run(duration time.Duration) {
	w.Helper()
	served, _ := catalogtest.New(w, catalogtest.Resource(configMaps, "ConfigMap", apidiscoveryv2.ScopeNamespace))
	factory := informers.NewSharedInformerFactory(w.client, 0)
	run := namespace.New(work.Server{
		Client: w.client, Metadata: w.metadata, Catalog: served, Informers: factory, Alone: w.alone,
		Local: func(schema.GroupVersionResource) cache.ListerWatcher { return nil },
	})
	ctx, cancel := context.WithTimeout(w.Context(), duration)
	defer cancel()
	factory.StartWithContext(ctx)
	run(ctx)
	factory.Shutdown()
}

// deletes are the requests to delete something.
func (w *world) deletes() []string {
	var out []string
	for _, action := range w.metadata.Actions() {
		switch a := action.(type) {
		case clienttesting.DeleteActionImpl:
			uid := "by name"
			if p := a.DeleteOptions.Preconditions; p != nil && p.UID != nil {
				uid = string(*p.UID)
			}
			out = append(out, a.Namespace+"/"+a.Name+" "+uid)
		case clienttesting.DeleteCollectionActionImpl:
			out = append(out, a.Namespace)
		}
	}
	return out
}

func configMap(namespace, uid string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "a", UID: types.UID(uid)},
	}
}

func going(uid string) *corev1.Namespace {
	return &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: "n", UID: types.UID(uid), DeletionTimestamp: &metav1.Time{Time: time.Now()}, Finalizers: []string{"x"}},
		Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
	}
}

func (w *world) want(want ...string) {
	w.Helper()
	got := w.deletes()
	if len(got) != len(want) {
		w.Fatalf("deleted %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			w.Errorf("deleted %q, want %q", got, want)
		}
	}
}

// Objects are deleted by UID where another server may let the namespace go, and
// together where none can.
func TestEmpty(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		alone bool
		want  string
	}{
		"one of several": {false, "n/a 1"},
		"alone":          {true, "n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, []runtime.Object{going("old")}, configMap("n", "1"), configMap("other", "2"))
				w.alone = tc.alone
				w.run(time.Millisecond)
				if got := w.deletes(); len(got) == 0 || got[0] != tc.want {
					t.Errorf("deleted %q, want %q", got, tc.want)
				}
			})
		})
	}
}

// Nothing is deleted of a namespace that another server has let go meanwhile, and that
// has been made again.
func TestEmptyReplaced(t *testing.T) {
	t.Parallel()
	for name, alone := range map[string]bool{"one of several": false, "alone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, []runtime.Object{going("old")}, configMap("n", "1"))
				w.alone = alone
				seen := false
				w.metadata.PrependReactor("list", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
					if !seen {
						seen = true
						if err := w.client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("namespaces"), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n", UID: "new"}}, ""); err != nil {
							t.Error(err)
						}
					}
					return false, nil, nil
				})
				w.run(time.Minute)
				w.want()
				for _, action := range w.client.Actions() {
					if action.GetSubresource() != "" {
						t.Errorf("wrote %v", action)
					}
				}
			})
		})
	}
}

// What is in a namespace that went before the controller began is found, also if that
// takes some attempts, and deleted; what is elsewhere stays.
func TestSearch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, []runtime.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept", UID: "1"}}},
			configMap("kept", "1"), configMap("lost", "2"))
		failures := 0
		w.metadata.PrependReactor("list", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
			if failures++; failures%2 == 1 {
				return true, nil, errors.New("not now")
			}
			return false, nil, nil
		})
		w.run(4 * time.Second)
		w.want()
		w.run(time.Minute)
		w.want("lost/a 2")
	})
}

// A kind that cannot be listed is not asked for ever for what is in a namespace that is
// gone.
func TestSweepGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.metadata.PrependReactor("list", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("never")
		})
		w.run(time.Hour)
		if n := len(w.metadata.Actions()); n < 10 || n > 20 {
			t.Errorf("asked %d times", n)
		}
	})
}
