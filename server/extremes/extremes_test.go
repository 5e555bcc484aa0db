// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package extremes_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/stoa-project/stoa/server/extremes"
)

const far = "1e-999999999"

// pod returns a pod in JSON with a text in place of a request and of an environment variable.
func pod(request, variable string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[
		{"name":"c","env":[{"name":"COMMIT","value":%q}],"resources":{"requests":{"cpu":%s}}}]}}`, variable, request)
}

// at returns a pod with a time in it.
func at(text string) string {
	return strings.Replace(pod(`"1"`, ""), `"name":"p"`, `"name":"p","managedFields":[{"time":"`+text+`"}]`, 1)
}

// late returns a pod in protobuf with a time in a year.
func late(t *testing.T, year int) string {
	t.Helper()
	p := &corev1.Pod{}
	p.ManagedFields = []metav1.ManagedFieldsEntry{{Time: &metav1.Time{Time: time.Date(year, 5, 1, 0, 0, 0, 0, time.UTC)}}}
	info, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	encoded, err := runtime.Encode(scheme.Codecs.EncoderForVersion(info.Serializer, corev1.SchemeGroupVersion), p)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// inProtobuf returns a pod as clients send it, with text where the request of a processor is. The text that is encoded
// first can be read.
func inProtobuf(t *testing.T, text string) string {
	t.Helper()
	info, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	placeholder := strings.Repeat("7", len(text))
	obj, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), []byte(pod(`"`+placeholder+`"`, "1e23456")))
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := runtime.Encode(scheme.Codecs.EncoderForVersion(info.Serializer, corev1.SchemeGroupVersion), obj)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(encoded), placeholder) {
		t.Fatalf("no %s in %q", placeholder, encoded)
	}
	return strings.ReplaceAll(string(encoded), placeholder, text)
}

// TestDecode refuses what takes for ever in all formats and disguises, and nothing else.
func TestDecode(t *testing.T) {
	t.Parallel()
	const refused = `spec.containers[0].resources.requests.cpu: Invalid value: the exponent of a quantity must not have more than 3 digits`
	const out = "metadata.managedFields[0].time: Invalid value: must be in the years 0 to 9999, in UTC"
	base := base64.StdEncoding.EncodeToString([]byte(far))
	for name, test := range map[string]struct{ mediaType, body, want string }{
		"JSON":               {runtime.ContentTypeJSON, pod(`"`+far+`"`, ""), refused},
		"large":              {runtime.ContentTypeJSON, pod(`"1E+1000"`, ""), refused},
		"number":             {runtime.ContentTypeJSON, pod(far, ""), refused},
		"zeros in front":     {runtime.ContentTypeJSON, pod(`"1e00001000"`, ""), refused},
		"spaces":             {runtime.ContentTypeJSON, pod(`" 1e1000 "`, ""), refused},
		"escaped letter":     {runtime.ContentTypeJSON, pod(`"1\u0065-999999999"`, ""), refused},
		"escaped digits":     {runtime.ContentTypeJSON, pod(`"1e-9\u00399\u003999\u0039\u003999"`, ""), refused},
		"escaped sign":       {runtime.ContentTypeJSON, pod(`"1e\u002D999999999"`, ""), refused},
		"twice":              {runtime.ContentTypeJSON, pod(`"`+far+`","cpu":"1"`, ""), refused},
		"YAML":               {runtime.ContentTypeYAML, "kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - resources: {requests: {cpu: 1e-999999999m}, limits: {cpu: \"1e-999999999\"}}\n", strings.Replace(refused, "requests", "limits", 1)},
		"YAML, escaped":      {runtime.ContentTypeYAML, "kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - resources: {requests: {cpu: \"1\\x65-999999999\"}}\n", refused},
		"YAML, base64":       {runtime.ContentTypeYAML, "kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - resources: {requests: {cpu: !!binary " + base + "}}\n", refused},
		"YAML that is JSON":  {runtime.ContentTypeYAML, pod(`"1\u0065-999999999"`, ""), refused},
		"protobuf":           {runtime.ContentTypeProtobuf, inProtobuf(t, far), refused},
		"year":               {runtime.ContentTypeJSON, at("9999-12-31T23:59:59-01:00"), out},
		"year before":        {runtime.ContentTypeJSON, at("0000-01-01T00:00:00+01:00"), out},
		"year, escaped":      {runtime.ContentTypeJSON, at(`9999\u002d12-31T23:59:59-01:00`), out},
		"year in protobuf":   {runtime.ContentTypeProtobuf, late(t, 10000), out},
		"year in YAML":       {runtime.ContentTypeYAML, "metadata: {managedFields: [{time: 9999-12-30T23:59:59-24:30}]}\n", out},
		"last second":        {runtime.ContentTypeJSON, at("9999-12-31T23:59:59Z"), ""},
		"late in protobuf":   {runtime.ContentTypeProtobuf, late(t, 9999), ""},
		"kind of the path":   {runtime.ContentTypeJSON, strings.Replace(pod(`"`+far+`"`, ""), `"apiVersion":"v1","kind":"Pod",`, "", 1), refused},
		"another field":      {runtime.ContentTypeJSON, pod(`"1"`, "1e23456"), ""},
		"large, but near":    {runtime.ContentTypeJSON, pod(`"1e999"`, ""), ""},
		"near in protobuf":   {runtime.ContentTypeProtobuf, inProtobuf(t, "1e999"), ""},
		"exa":                {runtime.ContentTypeJSON, pod(`"1000E"`, ""), ""},
		"no quantities":      {runtime.ContentTypeJSON, `{"kind":"ConfigMap","apiVersion":"v1","data":{"cpu":"1e-999999999"}}`, ""},
		"not JSON":           {runtime.ContentTypeJSON, `{"a":1e99999`, "unexpected end of JSON input"},
		"kind that is wrong": {runtime.ContentTypeJSON, `{"kind":"Nothing","apiVersion":"v1","a":"1e99999"}`, `no kind "Nothing" is registered`},
		"no YAML":            {runtime.ContentTypeYAML, "a: [1e99999", "yaml"},
		"no protobuf":        {runtime.ContentTypeProtobuf, "k8s\x001e99999", "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checked := extremes.Serializer(scheme.Codecs, scheme.Scheme)
			info, ok := runtime.SerializerInfoForMediaType(checked.SupportedMediaTypes(), test.mediaType)
			if !ok {
				t.Fatal("no serializer")
			}
			for _, content := range []runtime.Serializer{info.Serializer, info.StrictSerializer} {
				if content == nil {
					continue
				}
				kind := corev1.SchemeGroupVersion.WithKind("Pod")
				_, _, err := checked.DecoderToVersion(content, corev1.SchemeGroupVersion).Decode([]byte(test.body), &kind, nil)
				if runtime.IsStrictDecodingError(err) && name != "twice" {
					err = nil
				}
				if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("got %v, want %q", err, test.want)
				}
			}
		})
	}
}

// TestPatches refuses patches that are merged, and hands all others on whole.
func TestPatches(t *testing.T) {
	t.Parallel()
	patch := func(text string) string {
		return `{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"` + text + `"}}}]}}`
	}
	pods := func(resource schema.GroupVersionResource) reflect.Type {
		if resource != corev1.SchemeGroupVersion.WithResource("pods") {
			return nil
		}
		return reflect.TypeFor[*corev1.Pod]()
	}
	for name, test := range map[string]struct {
		method, contentType, resource, body string
		refused                             bool
	}{
		"strategic":             {"PATCH", string(types.StrategicMergePatchType), "pods", patch(far), true},
		"strategic, charset":    {"PATCH", "Application/Strategic-Merge-Patch+JSON ; charset=;;", "pods", patch(far), true},
		"apply":                 {"PATCH", string(types.ApplyYAMLPatchType), "pods", patch(far), true},
		"apply in YAML":         {"PATCH", string(types.ApplyYAMLPatchType), "pods", "spec: {overhead: {cpu: '" + far + "'}}", true},
		"near":                  {"PATCH", string(types.ApplyYAMLPatchType), "pods", patch("1e9"), false},
		"too long":              {"PATCH", string(types.ApplyYAMLPatchType), "pods", patch(far) + strings.Repeat(" ", 2000), false},
		"another resource":      {"PATCH", string(types.ApplyYAMLPatchType), "others", patch(far), false},
		"decoded as a whole":    {"PATCH", string(types.JSONPatchType), "pods", patch(far), false},
		"decoded as a whole, 2": {"POST", string(types.ApplyYAMLPatchType), "pods", patch(far), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got string
			handler := extremes.Patches(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got = string(body)
			}), 1000, pods, scheme.Codecs)
			r := httptest.NewRequest(test.method, "/", strings.NewReader(test.body))
			r.Header.Set("Content-Type", test.contentType)
			r = r.WithContext(genericapirequest.WithRequestInfo(r.Context(), &genericapirequest.RequestInfo{
				IsResourceRequest: true, APIVersion: "v1", Resource: test.resource,
			}))
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			want := test.body
			if test.refused {
				want = ""
			}
			if refused := w.Code == http.StatusBadRequest && strings.Contains(w.Body.String(), "exponent of a quantity"); refused != test.refused || got != want {
				t.Errorf("answer %d %s, handed on %q", w.Code, w.Body, got)
			}
		})
	}
}

// TestPatchError hands on the error of a body that ends too early.
func TestPatchError(t *testing.T) {
	t.Parallel()
	handler := extremes.Patches(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != io.ErrUnexpectedEOF || string(body) != "{" { //nolint:errorlint // as it is
			t.Errorf("got %q, %v", body, err)
		}
	}), 1000, func(schema.GroupVersionResource) reflect.Type { return nil }, serializer.NewCodecFactory(runtime.NewScheme()))
	r := httptest.NewRequest(http.MethodPatch, "/", io.MultiReader(strings.NewReader("{"), broken{}))
	r.Header.Set("Content-Type", string(types.ApplyYAMLPatchType))
	r = r.WithContext(genericapirequest.WithRequestInfo(r.Context(), &genericapirequest.RequestInfo{IsResourceRequest: true}))
	handler.ServeHTTP(httptest.NewRecorder(), r)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// FuzzDecode has no body decoded for long.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{`"1"`, `"` + far + `"`, far, `"1\u0065-999999999"`, `["1e99999"]`, `{"cpu":"1e9999"}`, `null`} {
		f.Add([]byte(pod(text, "1e1000")), uint8(0))
		f.Add([]byte(pod(text, "1e1000")), uint8(1))
	}
	f.Add([]byte("k8s\x00"), uint8(2))
	checked := extremes.Serializer(scheme.Codecs, scheme.Scheme)
	infos := checked.SupportedMediaTypes()
	f.Fuzz(func(t *testing.T, body []byte, format uint8) {
		kind := corev1.SchemeGroupVersion.WithKind("Pod")
		content := infos[int(format)%len(infos)].Serializer
		obj, _, err := checked.DecoderToVersion(content, corev1.SchemeGroupVersion).Decode(body, &kind, nil)
		if p, is := obj.(*corev1.Pod); err == nil && is {
			for i := range p.Spec.Containers {
				for _, q := range p.Spec.Containers[i].Resources.Requests {
					q.Cmp(p.Spec.Containers[i].Resources.Limits["cpu"])
				}
			}
		}
	})
}
