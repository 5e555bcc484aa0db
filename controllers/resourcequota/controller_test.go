// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resourcequota_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/controllers/catalog"
	"github.com/stoa-project/stoa/controllers/catalog/catalogtest"
	"github.com/stoa-project/stoa/controllers/resourcequota"
	"github.com/stoa-project/stoa/controllers/work"
)

var (
	configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	pods       = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	claims     = schema.GroupVersionResource{Group: "resource.k8s.io", Version: "v1", Resource: "resourceclaims"}
)

// world is what a controller sees, in the time of a bubble.
type world struct {
	*testing.T
	client   *fake.Clientset
	metadata *metadatafake.FakeMetadataClient
	server   *catalogtest.Server
	charges  quota.Charges
}

func served(resources ...schema.GroupVersionResource) []catalog.Resource {
	var out []catalog.Resource
	for _, r := range resources {
		out = append(out, catalogtest.Resource(r, r.Resource, apidiscoveryv2.ScopeNamespace))
	}
	return out
}

// run runs a controller until the test is over. Then nothing of it is left, or the
// bubble does not end.
func run(t *testing.T, resources []catalog.Resource, test func(w *world), objects ...runtime.Object) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		scheme := metadatafake.NewTestScheme()
		if err := metav1.AddMetaToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		var typed, known []runtime.Object
		for _, o := range objects {
			if _, ok := o.(*metav1.PartialObjectMetadata); ok {
				known = append(known, o)
			} else {
				typed = append(typed, o)
			}
		}
		w := &world{T: t, client: fake.NewClientset(typed...), metadata: metadatafake.NewSimpleMetadataClient(scheme, known...)}
		var all *catalog.Catalog
		all, w.server = catalogtest.New(t, resources...)
		factory := informers.NewSharedInformerFactory(w.client, 0)
		do := resourcequota.New(work.Server{Client: w.client, Metadata: w.metadata, Catalog: all, Informers: factory, Charges: &w.charges})
		ctx, cancel := context.WithCancel(t.Context())
		factory.StartWithContext(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			do(ctx)
		}()
		synctest.Wait()
		test(w)
		cancel()
		<-ended
		factory.Shutdown()
	})
}

func limits(namespace string, hard ...string) *corev1.ResourceQuota {
	out := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "q", UID: types.UID(namespace)}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{}},
	}
	for _, name := range hard {
		out.Spec.Hard[corev1.ResourceName(name)] = resource.MustParse("100")
	}
	return out
}

func configMap(namespace, name string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name)},
	}
}

// want compares what a quota says is used; empty: it says nothing of that.
func (w *world) want(namespace, name, want string) {
	w.Helper()
	synctest.Wait()
	q, err := w.client.CoreV1().ResourceQuotas(namespace).Get(w.Context(), "q", metav1.GetOptions{})
	if err != nil {
		w.Fatal(err)
	}
	got := ""
	if quantity, ok := q.Status.Used[corev1.ResourceName(name)]; ok {
		got = quantity.String()
	}
	if got != want {
		w.Errorf("%s: %s used %q, want %q", namespace, name, got, want)
	}
}

// count counts the requests of a verb for a resource.
func (w *world) count(verb, resource string) int {
	n := 0
	for _, action := range append(w.client.Actions(), w.metadata.Actions()...) {
		if action.Matches(verb, resource) {
			n++
		}
	}
	return n
}

func pass(d time.Duration) {
	<-time.After(d) // of the bubble
	synctest.Wait()
}

// What is there is counted, and again when something goes.
func TestCount(t *testing.T) {
	t.Parallel()
	run(t, served(configMaps), func(w *world) {
		w.want("n", "count/configmaps", "2")
		w.want("m", "count/configmaps", "0")
		if err := w.metadata.Resource(configMaps).Namespace("n").Delete(w.Context(), "a", metav1.DeleteOptions{}); err != nil {
			w.Fatal(err)
		}
		w.want("n", "count/configmaps", "1")
		// Nobody watches when there is no quota any more.
		for _, namespace := range []string{"n", "m"} {
			if err := w.client.CoreV1().ResourceQuotas(namespace).Delete(w.Context(), "q", metav1.DeleteOptions{}); err != nil {
				w.Fatal(err)
			}
		}
		synctest.Wait()
		before := w.count("list", "configmaps")
		if err := w.metadata.Resource(configMaps).Namespace("n").Delete(w.Context(), "b", metav1.DeleteOptions{}); err != nil {
			w.Fatal(err)
		}
		pass(time.Hour)
		if n := w.count("list", "configmaps") - before; n != 0 {
			w.Errorf("listed %d times without a quota", n)
		}
	}, limits("n", "count/configmaps"), limits("m", "count/configmaps"), configMap("n", "a"), configMap("n", "b"))
}

// A quota of what is not served is counted soon after that is.
func TestServedLater(t *testing.T) {
	t.Parallel()
	run(t, nil, func(w *world) {
		pass(time.Minute)
		w.want("n", "count/configmaps", "")
		// All such quotas have one question, which costs nothing as long as nothing changes.
		if n := w.count("get", "resourcequotas"); n > 4 {
			w.Errorf("two quotas were looked at %d times", n)
		}
		w.server.Set(served(configMaps))
		pass(6 * time.Second)
		w.want("n", "count/configmaps", "1")
		w.want("m", "count/configmaps", "0")

		// A resource that is gone is looked for again, not without end in no time.
		var gone atomic.Bool
		gone.Store(true)
		refuse := func(clienttesting.Action) (bool, runtime.Object, error) {
			if gone.Load() {
				return true, nil, apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "")
			}
			return false, nil, nil
		}
		w.metadata.PrependReactor("list", "secrets", refuse)
		w.server.Set(served(configMaps, schema.GroupVersionResource{Version: "v1", Resource: "secrets"}))
		if _, err := w.client.CoreV1().ResourceQuotas("o").Create(w.Context(), limits("o", "secrets"), metav1.CreateOptions{}); err != nil {
			w.Fatal(err)
		}
		pass(time.Minute)
		if n := w.count("list", "secrets"); n < 2 || n > 30 {
			w.Errorf("listed what is not there %d times in a minute", n)
		}
		w.want("o", "secrets", "")
		gone.Store(false)
		pass(10 * time.Second)
		w.want("o", "secrets", "0")
	}, limits("n", "count/configmaps"), limits("m", "count/configmaps"), configMap("n", "a"))
}

// A quota is counted when what has been charged is stored, and others meanwhile.
func TestCharges(t *testing.T) {
	t.Parallel()
	run(t, served(configMaps), func(w *world) {
		request, end := context.WithCancel(w.Context())
		w.charges.Add(request, "busy")
		for _, namespace := range []string{"busy", "free"} {
			if _, err := w.client.CoreV1().ResourceQuotas(namespace).Create(w.Context(), limits(namespace, "count/configmaps"), metav1.CreateOptions{}); err != nil {
				w.Fatal(err)
			}
		}
		w.want("free", "count/configmaps", "0")
		w.want("busy", "count/configmaps", "")
		more, endMore := context.WithCancel(w.Context())
		defer endMore()
		w.charges.Add(more, "busy") // for which it does not wait
		if _, err := w.metadata.Resource(configMaps).Namespace("busy").(metadatafake.MetadataClient).CreateFake(configMap("busy", "a"), metav1.CreateOptions{}); err != nil {
			w.Fatal(err)
		}
		end()
		w.want("busy", "count/configmaps", "1")
	})
}

// A quota that is charged all the time is counted all the same. What is charged
// meanwhile is added, until there is time to count it.
func TestSteadyCharges(t *testing.T) {
	t.Parallel()
	run(t, served(configMaps), func(w *world) {
		quotas := corev1.SchemeGroupVersion.WithResource("resourcequotas")
		var conflicts atomic.Int32
		w.client.PrependReactor("update", "resourcequotas", func(action clienttesting.Action) (bool, runtime.Object, error) {
			if action.GetSubresource() != "status" || conflicts.Add(1) > 6 {
				return false, nil, nil
			}
			obj, err := w.client.Tracker().Get(quotas, "n", "q")
			if err != nil {
				return true, nil, err
			}
			charged := obj.(*corev1.ResourceQuota).DeepCopy()
			n := charged.Status.Used["count/configmaps"]
			n.Add(resource.MustParse("1"))
			charged.Status.Used = corev1.ResourceList{"count/configmaps": n}
			if err := w.client.Tracker().Update(quotas, charged, "n"); err != nil {
				return true, nil, err
			}
			return true, nil, apierrors.NewConflict(quotas.GroupResource(), "q", errors.New("it has been charged"))
		})
		if _, err := w.client.CoreV1().ResourceQuotas("n").Create(w.Context(), limits("n", "count/configmaps"), metav1.CreateOptions{}); err != nil {
			w.Fatal(err)
		}
		pass(500 * time.Millisecond)
		w.want("n", "count/configmaps", "4") // one is there, and three were charged since it was read
		pass(time.Second)
		w.want("n", "count/configmaps", "1")
	}, configMap("n", "a"))
}

// What is counted in two places is not counted in one alone, as long as the other one
// does not answer.
func TestPartial(t *testing.T) {
	t.Parallel()
	const gpus, claimed = "requests.example.com/gpu", "count/resourceclaims.resource.k8s.io"
	class := &resourcev1.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: "gpu"}, Spec: resourcev1.DeviceClassSpec{ExtendedResourceName: new("example.com/gpu")}}
	run(t, served(pods, claims), func(w *world) {
		up := make(chan struct{})
		w.metadata.PrependReactor("list", "resourceclaims", func(clienttesting.Action) (bool, runtime.Object, error) {
			<-up
			return false, nil, nil
		})
		if _, err := w.client.CoreV1().ResourceQuotas("n").Create(w.Context(), limits("n", "pods", claimed, gpus), metav1.CreateOptions{}); err != nil {
			w.Fatal(err)
		}
		w.want("n", "pods", "")
		pass(6 * time.Second)
		w.want("n", "pods", "0")
		w.want("n", claimed, "")
		w.want("n", gpus, "")
		close(up)
		w.want("n", claimed, "0")
		w.want("n", gpus, "0")
		// Which quotas a pod counts for needs no question.
		before := w.count("list", "deviceclasses")
		if err := w.client.CoreV1().Pods("other").Delete(w.Context(), "p", metav1.DeleteOptions{}); err != nil {
			w.Fatal(err)
		}
		synctest.Wait()
		if n := w.count("list", "deviceclasses") - before; n != 0 {
			w.Errorf("listed device classes %d times", n)
		}
	}, class, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "p", UID: "p"}})
}
