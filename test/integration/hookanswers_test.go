// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// answers are what webhooks may say, by path. Others let everything pass.
func answers(path string, request *admissionv1.AdmissionRequest) admissionv1.AdmissionResponse {
	switch path {
	case "/refuse":
		return refuse("not this one")
	case "/unexplained":
		return admissionv1.AdmissionResponse{Result: &metav1.Status{}}
	case "/teapot":
		return admissionv1.AdmissionResponse{Result: &metav1.Status{Message: "short and stout", Code: http.StatusTeapot, Reason: "Teapot"}}
	case "/mistaken":
		return admissionv1.AdmissionResponse{UID: "other"}
	case "/nonsense":
		return admissionv1.AdmissionResponse{Patch: []byte(`{"op": "?"}`)}
	case "/nowhere":
		return admissionv1.AdmissionResponse{Patch: []byte(`[{"op": "remove", "path": "/data/none"}]`)}
	case "/invalid":
		return admissionv1.AdmissionResponse{Patch: []byte(`[{"op": "add", "path": "/data", "value": {"a/b": "c"}}]`)}
	case "/label":
		return admissionv1.AdmissionResponse{Patch: []byte(`[{"op": "add", "path": "/metadata/labels", "value": {"seen": "` + string(request.Operation) + `"}}]`)}
	}
	return admissionv1.AdmissionResponse{}
}

// TestWebhookAnswers has webhooks of both kinds answer, fail to answer and be away.
func TestWebhookAnswers(t *testing.T) {
	t.Parallel()
	speaking := newHook(t, answers)
	away := newHook(t, allow)
	away.Close()
	broken := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client has gone
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
		case "/empty":
			_, _ = w.Write([]byte(`{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}`))
		default:
			http.Error(w, "boom", http.StatusInternalServerError)
		}
	}))
	t.Cleanup(broken.Close)
	brokenAt := func(path string) map[string]any {
		return map[string]any{"url": broken.URL + path, "caBundle": (&hook{Server: broken}).ca()}
	}
	without := speaking.at("/")
	delete(without, "caBundle")
	const (
		called  = `Internal error occurred: failed calling webhook "x.example.com": `
		failed  = called + `failed to call webhook: `
		invalid = called + `received invalid webhook response: `
		unknown = failed + `Post "URL/?timeout=10s": tls: failed to verify certificate: x509: certificate signed by unknown authority`
	)
	for name, tc := range map[string]struct {
		client map[string]any
		more   string
		kinds  []schema.GroupVersionResource
		want   string
		// lenient is what comes of it where failures are ignored.
		lenient string
	}{
		"allowed":      {client: speaking.at("/")},
		"refused":      {client: speaking.at("/refuse"), want: `admission webhook "x.example.com" denied the request: not this one`, lenient: "same"},
		"unexplained":  {client: speaking.at("/unexplained"), want: `admission webhook "x.example.com" denied the request without explanation`, lenient: "same"},
		"own status":   {client: speaking.at("/teapot"), want: `admission webhook "x.example.com" denied the request: short and stout`, lenient: "same"},
		"wrong ca":     {client: map[string]any{"url": speaking.URL + "/", "caBundle": api.Config().CAData}, want: unknown},
		"no ca":        {client: without, want: unknown},
		"slow":         {client: brokenAt("/slow"), more: "timeoutSeconds: 1", want: failed + `Post "URL/slow?timeout=1s": context deadline exceeded`},
		"server error": {client: brokenAt("/"), want: failed + `an error on the server ("boom") has prevented the request from succeeding`},
		"no response":  {client: brokenAt("/empty"), want: invalid + `webhook response was absent`},
		"another uid":  {client: speaking.at("/mistaken"), want: invalid + `expected response.uid="UID", got "other"`},
		"away":         {client: away.at("/"), want: failed + `Post "URL/?timeout=10s": dial tcp ADDRESS: connect: connection refused`},
		"nonsense":     {client: speaking.at("/nonsense"), kinds: mutating(), want: called + `received undecodable patch in webhook response: json: cannot unmarshal object into Go value of type jsonpatch.Patch`},
		"bad patch":    {client: speaking.at("/nowhere"), kinds: mutating(), want: `Internal error occurred: error in remove for path: '/data/none': Unable to remove nonexistent key: none: missing value`, lenient: "same"},
		"invalid":      {client: speaking.at("/invalid"), kinds: mutating(), lenient: "same", want: `ConfigMap "a" is invalid: data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`},
		"not mutating": {client: speaking.at("/label"), kinds: []schema.GroupVersionResource{validatingHooks}, want: invalid + `validating webhook may not return response.patch`},
	} {
		kinds := tc.kinds
		if kinds == nil {
			kinds = []schema.GroupVersionResource{validatingHooks, mutatingHooks}
		}
		for _, kind := range kinds {
			for _, policy := range []string{"Fail", "Ignore"} {
				t.Run(strings.Join([]string{name, kind.Resource[:len("mutating")], policy}, "/"), func(t *testing.T) {
					t.Parallel()
					namespace := newNamespace(t)
					register(t, api, kind, webhook(t, "x.example.com", namespace, tc.client, "failurePolicy: "+policy+"\n"+tc.more))
					want := tc.want
					if policy == "Ignore" && tc.lenient == "" {
						want = ""
					}
					_, err := coreClient(t).CoreV1().ConfigMaps(namespace).Create(t.Context(), newConfigMap("a", "1"), metav1.CreateOptions{})
					if got := anonymised(text(err)); got != want {
						t.Errorf("got  %s\nwant %s", got, want)
					}
				})
			}
		}
	}
}

func mutating() []schema.GroupVersionResource { return []schema.GroupVersionResource{mutatingHooks} }

var addresses = []struct {
	what *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`https://127\.0\.0\.1:\d+`), "URL"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UID"},
}

// anonymised is a text without what is another one each time.
func anonymised(message string) string {
	for _, a := range addresses {
		message = a.what.ReplaceAllString(message, a.name)
	}
	return message
}
