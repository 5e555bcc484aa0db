// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"math/rand"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/apitesting/roundtrip"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/randfill"

	"github.com/stoa-project/stoa/apis/core"
)

const fuzzRounds = 200

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	Install(scheme)
	return scheme
}

// fuzzFuncs makes objects as they are after defaulting and conversion.
func fuzzFuncs(_ serializer.CodecFactory) []any {
	return []any{
		func(obj *core.Namespace, c randfill.Continue) {
			c.FillNoCustom(obj)
			obj.Labels = map[string]string{"kubernetes.io/metadata.name": obj.Name}
			if obj.Name == "" {
				obj.Labels = nil
			}
			obj.Status.Phase = corev1.NamespaceActive
		},
		func(obj *core.ConfigMap, c randfill.Continue) {
			c.FillNoCustom(obj)
			if obj.Data == nil {
				obj.Data = map[string]string{}
			}
		},
		func(obj *core.Secret, c randfill.Continue) {
			c.FillNoCustom(obj)
			obj.Type, obj.StringData = corev1.SecretTypeOpaque, nil
		},
	}
}

func hubKinds(scheme *runtime.Scheme) []string {
	kinds := sets.KeySet(scheme.KnownTypes(core.SchemeGroupVersion))
	return sets.List(kinds.Delete("WatchEvent"))
}

func newFiller(scheme *runtime.Scheme) *randfill.Filler {
	return fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, fuzzFuncs),
		rand.NewSource(1), serializer.NewCodecFactory(scheme))
}

// JSON and protobuf, hub to v1 and back.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	scheme := newScheme()
	for _, kind := range hubKinds(scheme) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			roundtrip.RoundTripSpecificKind(t, core.SchemeGroupVersion.WithKind(kind), scheme,
				serializer.NewCodecFactory(scheme), newFiller(scheme), nil)
		})
	}
}

func TestRoundTripThroughUnstructured(t *testing.T) {
	t.Parallel()
	scheme := newScheme()
	skipped := sets.New[schema.GroupVersionKind]()
	for gvk := range scheme.AllKnownTypes() {
		if !scheme.Recognizes(core.SchemeGroupVersion.WithKind(gvk.Kind)) {
			skipped.Insert(gvk)
		}
	}
	roundtrip.RoundtripToUnstructured(t, scheme, fuzzFuncs, skipped, nil)
}

// What is stored has the bytes that kube-apiserver would store.
func TestProtobufIsUpstreams(t *testing.T) {
	t.Parallel()
	scheme := newScheme()
	filler := newFiller(scheme)
	plain := protobuf.NewSerializer(scheme, scheme)
	codec := serializer.NewCodecFactory(scheme).CodecForVersions(plain, plain, corev1.SchemeGroupVersion, core.SchemeGroupVersion)
	for range fuzzRounds {
		for _, pair := range []struct {
			hub      runtime.Object
			upstream func(runtime.Object) runtime.Object
		}{
			{&core.Namespace{}, func(o runtime.Object) runtime.Object { return (*corev1.Namespace)(o.(*core.Namespace)) }},
			{&core.ConfigMap{}, func(o runtime.Object) runtime.Object { return (*corev1.ConfigMap)(o.(*core.ConfigMap)) }},
			{&core.Secret{}, func(o runtime.Object) runtime.Object { return (*corev1.Secret)(o.(*core.Secret)) }},
		} {
			filler.Fill(pair.hub)
			got, err := runtime.Encode(codec, pair.hub)
			if err != nil {
				t.Fatal(err)
			}
			upstream := pair.upstream(pair.hub.DeepCopyObject())
			kinds, _, err := scheme.ObjectKinds(upstream)
			if err != nil {
				t.Fatal(err)
			}
			upstream.GetObjectKind().SetGroupVersionKind(kinds[0])
			var want bytes.Buffer
			if err := plain.Encode(upstream, &want); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want.Bytes()) {
				t.Fatalf("%T: the encoding differs from that of k8s.io/api:\n%s", pair.hub, cmp.Diff(want.Bytes(), got))
			}
		}
	}
}

// A hub object has no apiVersion and kind, or server-side apply would see a
// change where there is none.
func TestHubHasNoTypeMeta(t *testing.T) {
	t.Parallel()
	scheme := newScheme()
	in := &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}}
	out := &core.ConfigMap{}
	if err := scheme.Convert(in, out, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(metav1.TypeMeta{}, out.TypeMeta); diff != "" {
		t.Errorf("type meta (-want +got):\n%s", diff)
	}
}

func TestStringData(t *testing.T) {
	t.Parallel()
	scheme := newScheme()
	for _, tc := range []struct {
		name string
		in   corev1.Secret
		want map[string][]byte
	}{
		{"alone", corev1.Secret{StringData: map[string]string{"a": "1"}}, map[string][]byte{"a": []byte("1")}},
		{"wins over data", corev1.Secret{
			Data:       map[string][]byte{"a": []byte("0"), "b": []byte("2")},
			StringData: map[string]string{"a": "1"},
		}, map[string][]byte{"a": []byte("1"), "b": []byte("2")}},
		{"absent", corev1.Secret{Data: map[string][]byte{"b": []byte("2")}}, map[string][]byte{"b": []byte("2")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			before := tc.in.DeepCopy()
			out := &core.Secret{}
			if err := scheme.Convert(&tc.in, out, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.Data); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
			if len(out.StringData) != 0 {
				t.Errorf("stringData is still there: %v", out.StringData)
			}
			if !apiequality.Semantic.DeepEqual(before, &tc.in) {
				t.Errorf("conversion changed its input (-before +after):\n%s", cmp.Diff(before, &tc.in))
			}
		})
	}
}

// Adding to the builder of k8s.io/api would change every other scheme in the
// process.
func TestUpstreamBuilderIsUntouched(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	obj := &corev1.Secret{}
	scheme.Default(obj)
	if obj.Type != "" {
		t.Errorf("a scheme of k8s.io/api alone defaults the type to %q", obj.Type)
	}
}
