// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package review_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/server/review"
)

// plugins change pods, and refuse what is called bad.
type plugins struct {
	*admission.Handler
	seen *string
}

func (p plugins) note(a admission.Attributes) {
	*p.seen = fmt.Sprintf("%T %T %s %s %s/%s %s/%s dry=%t %s %v %v", a.GetObject(), a.GetOldObject(), a.GetOperation(), a.GetKind().Kind,
		a.GetResource().Resource, a.GetSubresource(), a.GetNamespace(), a.GetName(), a.IsDryRun(), a.GetUserInfo().GetName(), a.GetUserInfo().GetGroups(), a.GetUserInfo().GetExtra())
}

// Admit implements admission.MutationInterface.
func (p plugins) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	p.note(a)
	pod, ok := a.GetObject().(*core.Pod)
	if !ok {
		return nil
	}
	pod.Annotations = map[string]string{"a/~b": "c"}
	delete(pod.Labels, "gone")
	pod.Spec.NodeName = "n"
	pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{Key: "more"})
	if len(pod.Spec.ImagePullSecrets) > 0 {
		slices.Reverse(pod.Spec.ImagePullSecrets)
	}
	return nil
}

// Validate implements admission.ValidationInterface.
func (p plugins) Validate(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	p.note(a)
	if a.GetName() == "bad" {
		return admission.NewForbidden(a, errors.New("it is bad"))
	}
	return nil
}

// serve returns a server of reviews, and what its plugins saw.
func serve(t *testing.T, maxObject int64) (ask func(method, path, body string) (int, string), seen *string) {
	t.Helper()
	seen = new(string)
	v := review.Reviewer{Plugins: plugins{admission.NewHandler(admission.Create, admission.Update), seen}, MaxObject: maxObject}
	handler := v.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "passed on: "+r.URL.Path, http.StatusTeapot)
	}))
	return func(method, path, body string) (int, string) {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
		return answer.Code, answer.Body.String()
	}, seen
}

const (
	validate = "/apis/tenancy.stoa.dev/v1/admissions/validate"
	mutate   = "/apis/tenancy.stoa.dev/v1/admissions/mutate"
)

func question(request string) string {
	return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","namespace":"ns","userInfo":{"username":"jane","groups":["g"],"extra":{"k":["v"]}},` + request + `}}`
}

const (
	ofPods     = `"kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"}`
	ofServices = `"kind":{"group":"","version":"v1","kind":"Service"},"resource":{"group":"","version":"v1","resource":"services"}`
	ofClaims   = `"kind":{"group":"","version":"v1","kind":"PersistentVolumeClaim"},"resource":{"group":"","version":"v1","resource":"persistentvolumeclaims"}`
	ofDevices  = `"kind":{"group":"resource.k8s.io","version":"v1","kind":"ResourceClaim"},"resource":{"group":"resource.k8s.io","version":"v1","resource":"resourceclaims"}`
	ofOthers   = `"kind":{"group":"apps","version":"v1","kind":"Deployment"},"resource":{"group":"apps","version":"v1","resource":"deployments"}`
)

// TestServe has plugins see requests of reviews.
func TestServe(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path, request, seen, message, patch string
	}{
		"a pod": {
			validate, ofPods + `,"operation":"CREATE","name":"x","object":{"kind":"Pod","metadata":{"name":"x"}}`,
			"*core.Pod <nil> CREATE Pod pods/ ns/x dry=false jane [g] map[k:[v]]", "", "",
		},
		"a subresource": {
			validate, ofPods + `,"operation":"UPDATE","name":"x","subResource":"resize","dryRun":true,"object":{"spec":{}},"oldObject":{"spec":{}}`,
			"*core.Pod *core.Pod UPDATE Pod pods/resize ns/x dry=true jane [g] map[k:[v]]", "", "",
		},
		"a service":                 {validate, ofServices + `,"operation":"CREATE","object":{}`, "*core.Service <nil> CREATE Service services/ ns/ dry=false jane [g] map[k:[v]]", "", ""},
		"a claim":                   {validate, ofClaims + `,"operation":"CREATE","object":{}`, "*core.PersistentVolumeClaim <nil> CREATE PersistentVolumeClaim persistentvolumeclaims/ ns/ dry=false jane [g] map[k:[v]]", "", ""},
		"a claim for devices":       {validate, ofDevices + `,"operation":"CREATE","object":{}`, "*resource.ResourceClaim <nil> CREATE ResourceClaim resourceclaims/ ns/ dry=false jane [g] map[k:[v]]", "", ""},
		"anything":                  {validate, ofOthers + `,"operation":"CREATE","object":{"spec":{"a":1}},"oldObject":null`, "*v1.PartialObjectMetadata <nil> CREATE Deployment deployments/ ns/ dry=false jane [g] map[k:[v]]", "", ""},
		"what no plugin sees":       {validate, ofPods + `,"operation":"DELETE","name":"bad","oldObject":{}`, "", "", ""},
		"what no plugin may change": {mutate, ofPods + `,"operation":"DELETE","oldObject":{}`, "", "", ""},
		"nothing changes":           {mutate, ofServices + `,"operation":"CREATE","object":{}`, "*core.Service <nil> CREATE Service services/ ns/ dry=false jane [g] map[k:[v]]", "", ""},
		"it is refused": {
			validate, ofPods + `,"operation":"CREATE","name":"bad","object":{}`, "*core.Pod <nil> CREATE Pod pods/ ns/bad dry=false jane [g] map[k:[v]]", `pods "bad" is forbidden: it is bad`, "",
		},
		"it is changed": {
			mutate, ofPods + `,"operation":"CREATE","object":{"metadata":{"labels":{"gone":"1","stays":"2"}},"spec":{"unknown":1,"nodeName":"m","tolerations":[{"key":"one","unknown":1}],"imagePullSecrets":[{"name":"a"},{"name":"b"}]}}`,
			"*core.Pod <nil> CREATE Pod pods/ ns/ dry=false jane [g] map[k:[v]]", "",
			`[{"op":"add","path":"/metadata/annotations","value":{"a/~b":"c"}},{"op":"remove","path":"/metadata/labels/gone"},` +
				`{"op":"replace","path":"/spec/imagePullSecrets","value":[{"name":"b"},{"name":"a"}]},{"op":"replace","path":"/spec/nodeName","value":"n"},` +
				`{"op":"add","path":"/spec/tolerations/-","value":{"key":"more"}}]`,
		},
		"names are escaped": {
			mutate, ofPods + `,"operation":"CREATE","object":{"metadata":{"annotations":{"a/~b":"d"}},"spec":{"nodeName":"n","tolerations":[]}}`,
			"*core.Pod <nil> CREATE Pod pods/ ns/ dry=false jane [g] map[k:[v]]", "",
			`[{"op":"replace","path":"/metadata/annotations/a~1~0b","value":"c"},{"op":"add","path":"/spec/tolerations","value":[{"key":"more"}]}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ask, seen := serve(t, 0)
			code, body := ask(http.MethodPost, tc.path, question(tc.request))
			var answer admissionv1.AdmissionReview
			if err := json.Unmarshal([]byte(body), &answer); code != http.StatusOK || err != nil || answer.Response == nil {
				t.Fatalf("answer %d %s", code, body)
			}
			message := ""
			if answer.Response.Result != nil {
				message = answer.Response.Result.Message
			}
			got := []any{answer.APIVersion, answer.Kind, string(answer.Response.UID), *seen, message, string(answer.Response.Patch), answer.Response.Allowed, answer.Response.PatchType != nil}
			want := []any{"admission.k8s.io/v1", "AdmissionReview", "u", tc.seen, tc.message, tc.patch, tc.message == "", tc.patch != ""}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// TestServeNothing answers what is no review, and passes on what is not for it.
func TestServeNothing(t *testing.T) {
	t.Parallel()
	ask, _ := serve(t, 0)
	small, _ := serve(t, 100)
	huge := strings.Repeat("x", 1<<20+300)
	for name, tc := range map[string]struct {
		ask                func(method, path, body string) (int, string)
		method, path, body string
		code               int
		want               string
	}{
		"another path":      {ask, http.MethodPost, "/apis/tenancy.stoa.dev/v1/tenants", "", 418, "passed on: /apis/tenancy.stoa.dev/v1/tenants"},
		"a longer path":     {ask, http.MethodPost, validate + "/x", "", 418, "passed on: " + validate + "/x"},
		"another method":    {ask, http.MethodGet, validate, "", 405, `"message": "GET is not supported on resources of kind \"admissions.tenancy.stoa.dev\""`},
		"no JSON":           {ask, http.MethodPost, validate, "x", 400, "read the review: invalid character"},
		"another kind":      {ask, http.MethodPost, validate, `{"kind":"Pod","apiVersion":"v1"}`, 400, "the body must be an AdmissionReview of admission.k8s.io/v1 with a request"},
		"another version":   {ask, http.MethodPost, validate, strings.Replace(question(ofPods), "k8s.io/v1", "k8s.io/v1beta1", 1), 400, "the body must be an AdmissionReview of admission.k8s.io/v1 with a request"},
		"no request":        {ask, http.MethodPost, validate, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`, 400, "the body must be an AdmissionReview of admission.k8s.io/v1 with a request"},
		"a wrong object":    {ask, http.MethodPost, validate, question(ofPods + `,"object":{"spec":1}`), 400, "object of kind Pod: json: cannot unmarshal number"},
		"an old one":        {ask, http.MethodPost, validate, question(ofPods + `,"oldObject":{"spec":1}`), 400, "object of kind Pod: json: cannot unmarshal number"},
		"more than it read": {small, http.MethodPost, validate, huge, 413, "limit is 1048776"},
	} {
		if code, body := tc.ask(tc.method, tc.path, tc.body); code != tc.code || !strings.Contains(body, tc.want) {
			t.Errorf("%s: %d %s, want %d %s", name, code, body, tc.code, tc.want)
		}
	}
}
