// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package imagepolicy_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	imagepolicyv1alpha1 "k8s.io/api/imagepolicy/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/imagepolicy"
	"github.com/stoa-project/stoa/apis/core"
)

// service is one that a plugin asks.
type service struct {
	*httptest.Server

	lock   sync.Mutex
	asked  []string // reviews, in JSON
	status imagepolicyv1alpha1.ImageReviewStatus
	code   int
}

func newService(t *testing.T, code int, status imagepolicyv1alpha1.ImageReviewStatus) *service {
	t.Helper()
	s := &service{status: status, code: code}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements http.Handler.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	var review imagepolicyv1alpha1.ImageReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.APIVersion != "imagepolicy.k8s.io/v1alpha1" || review.Kind != "ImageReview" {
		http.Error(w, "no review", http.StatusBadRequest)
		return
	}
	spec, err := json.Marshal(review.Spec)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.asked = append(s.asked, string(spec))
	w.WriteHeader(s.code)
	answer := map[string]imagepolicyv1alpha1.ImageReviewStatus{"status": s.status} // without a kind, as simple services do
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		s.asked = append(s.asked, err.Error())
	}
}

// config is a configuration of the plugin, with more lines.
func (s *service) config(t *testing.T, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: s.URL + "/review", CertificateAuthorityData: ca}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c"}},
		CurrentContext: "c",
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	return "imagePolicy:\n  kubeConfigFile: " + path + "\n  retryBackoff: 1\n" + more
}

func pod() *core.Pod {
	return &core.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "x", Annotations: map[string]string{
			"team.image-policy.k8s.io/ticket": "1", "image-policy.k8s.io/no": "2", "other": "3",
		}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Image: "a"}, {Image: "b"}}, InitContainers: []corev1.Container{{Image: "c"}},
			EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Image: "d"}}},
		},
	}
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	const (
		asked     = `{"containers":[{"image":"a"},{"image":"b"},{"image":"c"}],"annotations":{"team.image-policy.k8s.io/ticket":"1"},"namespace":"n"}`
		ephemeral = `{"containers":[{"image":"d"}],"annotations":{"team.image-policy.k8s.io/ticket":"1"},"namespace":"n"}`
	)
	yes, no := imagepolicyv1alpha1.ImageReviewStatus{Allowed: true}, imagepolicyv1alpha1.ImageReviewStatus{}
	why := imagepolicyv1alpha1.ImageReviewStatus{Reason: "too old"}
	for name, tc := range map[string]struct {
		config  string
		code    int
		status  imagepolicyv1alpha1.ImageReviewStatus
		request admissiontest.Request
		want    string
		asked   []string // by two requests
	}{
		"allowed":           {status: yes, asked: []string{asked}},
		"refused":           {status: no, asked: []string{asked}, want: `pods "x" is forbidden: one or more images rejected by webhook backend`},
		"refused with why":  {status: why, asked: []string{asked}, want: `pods "x" is forbidden: image policy webhook backend denied one or more images: too old`},
		"not remembered":    {config: "  allowTTL: -1", status: yes, asked: []string{asked, asked}},
		"no refusals are":   {config: "  denyTTL: -1", status: no, asked: []string{asked, asked}, want: `pods "x" is forbidden: one or more images rejected by webhook backend`},
		"update":            {status: yes, request: admissiontest.Request{Old: pod()}, asked: []string{asked}},
		"debugging":         {status: no, request: admissiontest.Request{Old: pod(), Subresource: "ephemeralcontainers"}, asked: []string{ephemeral}, want: `pods "x" is forbidden: one or more images rejected by webhook backend`},
		"other subresource": {status: no, request: admissiontest.Request{Old: pod(), Subresource: "status"}},
		"other resource":    {status: no, request: admissiontest.Request{Resource: schema.GroupVersionResource{Version: "v1", Resource: "podtemplates"}}},
		"no answer": {
			code: http.StatusNotFound, status: yes, asked: []string{asked, asked},
			want: `pods "x" is forbidden: the server could not find the requested resource`,
		},
		"no answer is yes": {config: "  defaultAllow: true", code: http.StatusForbidden, status: no, asked: []string{asked, asked}},
		"asked again":      {config: "  defaultAllow: true", code: http.StatusInternalServerError, asked: []string{asked, asked, asked, asked, asked, asked, asked, asked, asked, asked}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.code == 0 {
				tc.code = http.StatusOK
			}
			s := newService(t, tc.code, tc.status)
			p := admissiontest.Start(t, imagepolicy.Register, admissiontest.Plugin{Config: s.config(t, tc.config)})
			tc.request.Obj = pod()
			if tc.request.Resource.Empty() {
				tc.request.Resource = corev1.SchemeGroupVersion.WithResource("pods")
			}
			for range 2 {
				admissiontest.Check(t, p.Do(t.Context(), tc.request), tc.want)
			}
			if diff := cmp.Diff(tc.asked, s.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// attributes hear what is told the audit log.
type attributes struct {
	admission.Attributes

	said map[string]string
}

func (a attributes) AddAnnotation(key, value string) error {
	a.said[key] = value
	return a.Attributes.AddAnnotation(key, value)
}

func TestAudit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		code int
		want map[string]string
	}{
		"what the service says": {http.StatusOK, map[string]string{
			"imagepolicywebhook.image-policy.k8s.io/rule": "7", "imagepolicywebhook.image-policy.k8s.io/a/b": "not qualified",
		}},
		"that it is away": {http.StatusForbidden, map[string]string{"imagepolicywebhook.image-policy.k8s.io/failed-open": "true"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, tc.code, imagepolicyv1alpha1.ImageReviewStatus{
				Allowed: true, AuditAnnotations: map[string]string{"rule": "7", "a/b": "not qualified"},
			})
			plugins := admission.NewPlugins()
			imagepolicy.Register(plugins)
			plugin, err := plugins.InitPlugin("ImagePolicyWebhook", strings.NewReader(s.config(t, "  defaultAllow: true")), admission.PluginInitializers{})
			if err != nil {
				t.Fatal(err)
			}
			a := attributes{admission.NewAttributesRecord(pod(), nil, corev1.SchemeGroupVersion.WithKind("Pod"), "n", "x",
				corev1.SchemeGroupVersion.WithResource("pods"), "", admission.Create, nil, false, nil), map[string]string{}}
			if err := plugin.(admission.ValidationInterface).Validate(t.Context(), a, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, a.said); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	good := newService(t, http.StatusOK, imagepolicyv1alpha1.ImageReviewStatus{}).config(t, "")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("users: [{name: a, user: {token: s3cr3t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{
		good:                                    "",
		good + "  allowTTL: 1800\n  denyTTL: 2": "",
		"":                                      "no config specified",
		"imagePolicy: {}":                       "configuration: imagePolicy.kubeConfigFile: must be set",
		good + "  allowTTL: 1":                  "configuration: imagePolicy.allowTTL: valid value is between 1s and 30m0s, got 1",
		good + "  allowTTL: 1801":               "configuration: imagePolicy.allowTTL: valid value is between 1s and 30m0s, got 1801",
		good + "  denyTTL: -2":                  "configuration: imagePolicy.denyTTL: valid value is between 1s and 30m0s, got -2",
		good + "  denyTTL: 9223372036854775807": "configuration: imagePolicy.denyTTL: valid value is between 1s and 30m0s, got 9223372036854775807",
		strings.Replace(good, "Backoff: 1", "Backoff: 300001", 1): "configuration: imagePolicy.retryBackoff: valid value is between 1ns and 5m0s, got 300001",
		good + "  defautlAllow: true":                             `configuration: imagePolicy: error unmarshaling JSON: while decoding JSON: json: unknown field "defautlAllow"`,
		"imagePolicy: {kubeConfigFile: /does/not/exist}":          `configuration: imagePolicy.kubeConfigFile: load "/does/not/exist": stat /does/not/exist: no such file or directory`,
		"imagePolicy: {kubeConfigFile: " + secret + "}":           `configuration: imagePolicy.kubeConfigFile: load "` + secret + `": error loading config file "` + secret + `": `,
	} {
		plugins := admission.NewPlugins()
		imagepolicy.Register(plugins)
		reader := strings.NewReader(config)
		if config == "" {
			reader = nil
		}
		_, err := plugins.InitPlugin("ImagePolicyWebhook", reader, admission.PluginInitializers{})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", config, err)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), `couldn't init admission plugin "ImagePolicyWebhook": `+want)):
			t.Errorf("%s: %v, want %s", config, err, want)
		case err != nil && strings.Contains(err.Error(), "s3cr3t"):
			t.Errorf("a secret in %v", err)
		}
	}
}
