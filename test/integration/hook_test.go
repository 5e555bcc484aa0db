// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/stoa-project/stoa/stoatest"
)

var (
	validatingHooks = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}
	mutatingHooks   = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}
	hookKinds       = map[schema.GroupVersionResource]string{validatingHooks: "ValidatingWebhookConfiguration", mutatingHooks: "MutatingWebhookConfiguration"}
)

// A judge answers a request of admission. What it does not set allows it.
type judge func(path string, request *admissionv1.AdmissionRequest) admissionv1.AdmissionResponse

// hook is a server of webhooks, which remembers what it was asked.
type hook struct {
	*httptest.Server
	judge judge

	mu   sync.Mutex
	seen []asked
}

// asked is a request to a webhook.
type asked struct {
	path, authorization string
	admissionv1.AdmissionRequest
}

// newHook starts a server of webhooks.
func newHook(t *testing.T, judge judge) *hook {
	t.Helper()
	h := &hook{judge: judge}
	h.Server = httptest.NewTLSServer(h)
	t.Cleanup(h.Close)
	return h
}

// ServeHTTP implements http.Handler.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	h.seen = append(h.seen, asked{r.URL.Path, r.Header.Get("Authorization"), *review.Request})
	h.mu.Unlock()
	response := h.judge(r.URL.Path, review.Request)
	if response.UID == "" {
		response.UID = review.Request.UID
	}
	response.Allowed = response.Result == nil
	if response.Patch != nil {
		response.PatchType = new(admissionv1.PatchTypeJSONPatch)
	}
	review.Request, review.Response = nil, &response
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(review); err != nil {
		panic(err) // the client then fails
	}
}

// requests are those about objects with a name.
func (h *hook) requests(name string) []asked {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.seen), func(r asked) bool { return r.Name != name })
}

// ca is what a configuration needs to trust the server.
func (h *hook) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
}

// at is where a webhook is.
func (h *hook) at(path string) map[string]any {
	return map[string]any{"url": h.URL + path, "caBundle": h.ca()}
}

// allow lets everything pass.
func allow(string, *admissionv1.AdmissionRequest) admissionv1.AdmissionResponse {
	return admissionv1.AdmissionResponse{}
}

// refuse is an answer with a reason.
func refuse(why string) admissionv1.AdmissionResponse {
	return admissionv1.AdmissionResponse{Result: &metav1.Status{Message: why}}
}

// webhook is an entry of a configuration. Unless more says otherwise, it is about config
// maps, of one namespace, and without side effects.
func webhook(t *testing.T, name, namespace string, client map[string]any, more string) map[string]any {
	t.Helper()
	out := map[string]any{
		"name": name, "clientConfig": client, "sideEffects": "None", "admissionReviewVersions": []string{"v1"},
		"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": namespace}},
		"rules": []any{map[string]any{
			"apiGroups": []string{""}, "apiVersions": []string{"v1"}, "resources": []string{"configmaps"}, "operations": []string{"*"},
		}},
	}
	set := map[string]any{}
	if err := yaml.Unmarshal([]byte(more), &set); err != nil {
		t.Fatal(err)
	}
	maps.Copy(out, set)
	return out
}

// register makes a configuration and waits until the server knows it: then it refuses a
// lease by a webhook of the same configuration.
func register(t *testing.T, server *stoatest.Server, resource schema.GroupVersionResource, webhooks ...map[string]any) string {
	t.Helper()
	name, namespace := unique(t), "default"
	probe := newHook(t, func(string, *admissionv1.AdmissionRequest) admissionv1.AdmissionResponse { return refuse("known") })
	enroll(t, server, resource, name, append(webhooks, webhook(t, "probe.example.com", namespace, probe.at("/"), `
rules: [{apiGroups: [coordination.k8s.io], apiVersions: [v1], resources: [leases], operations: [CREATE]}]
objectSelector: {matchLabels: {probe: "`+name+`"}}`)))
	leases := clientFor(t, server.Config()).CoordinationV1().Leases(namespace)
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "probe", Labels: map[string]string{"probe": name}}}
	eventually(t, func() string {
		if _, err := leases.Create(t.Context(), lease, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err == nil || !strings.Contains(err.Error(), "known") {
			return "the webhook is not known: " + text(err)
		}
		return ""
	})
	return name
}

// enroll makes a configuration.
func enroll(t *testing.T, server *stoatest.Server, resource schema.GroupVersionResource, name string, webhooks []map[string]any) {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": hookKinds[resource], "metadata": map[string]any{"name": name}, "webhooks": webhooks,
	})
	if err != nil {
		t.Fatal(err)
	}
	var obj unstructured.Unstructured
	if err := json.Unmarshal(data, &obj.Object); err != nil {
		t.Fatal(err)
	}
	configurations := dynamic.NewForConfigOrDie(server.Config()).Resource(resource)
	if _, err := configurations.Create(t.Context(), &obj, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if server == api { // it lives longer than the webhook
		t.Cleanup(func() { _ = configurations.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}) })
	}
}
