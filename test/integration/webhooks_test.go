// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestAdmissionWebhooks has one webhook label pods and another one refuse some.
func TestAdmissionWebhooks(t *testing.T) {
	t.Parallel()
	webhook := httptest.NewTLSServer(http.HandlerFunc(reviewPods))
	t.Cleanup(webhook.Close)
	client, err := kubernetes.NewForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	namespace := newNamespace(t)
	addWebhooks(t, client, namespace, webhook)
	pods := client.CoreV1().Pods(namespace)
	pod := func(name string) *corev1.Pod {
		spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "image"}}}
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	}
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	eventually(t, func() string { // a server hears of webhooks by a watch
		got, err := pods.Create(t.Context(), pod("probe"), dry)
		if err != nil || got.Labels["seen"] == "" {
			return "no webhook labels pods: " + text(err)
		}
		if _, err := pods.Create(t.Context(), pod("forbidden"), dry); err == nil {
			return "no webhook refuses pods"
		}
		return ""
	})
	made, err := pods.Create(t.Context(), pod("a"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if made.Labels["seen"] != "CREATE" {
		t.Errorf("labels %v, want what the webhook added", made.Labels)
	}
	_, err = pods.Create(t.Context(), pod("forbidden"), metav1.CreateOptions{})
	if want := `admission webhook "refuse.example.com" denied the request: not this name`; text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
	made.Labels["seen"] = "nothing"
	if made, err = pods.Update(t.Context(), made, metav1.UpdateOptions{}); err != nil || made.Labels["seen"] != "UPDATE" {
		t.Errorf("update: %v, %v", made, err)
	}
	webhook.Close()
	err = pods.Delete(t.Context(), "a", metav1.DeleteOptions{})
	if !strings.HasPrefix(text(err), `Internal error occurred: failed calling webhook "refuse.example.com"`) {
		t.Errorf("delete while the webhook is away: %v", err)
	}
}

// addWebhooks registers the webhook for the pods of a namespace.
func addWebhooks(t *testing.T, client kubernetes.Interface, namespace string, webhook *httptest.Server) {
	t.Helper()
	meta, none, versions := metav1.ObjectMeta{Name: unique(t)}, admissionregistrationv1.SideEffectClassNone, []string{"v1"}
	own := &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}}
	at := func(path string) admissionregistrationv1.WebhookClientConfig {
		url := webhook.URL + path
		ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: webhook.Certificate().Raw})
		return admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca}
	}
	pods := func(operations ...admissionregistrationv1.OperationType) []admissionregistrationv1.RuleWithOperations {
		rule := admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: versions, Resources: []string{"pods"}}
		return []admissionregistrationv1.RuleWithOperations{{Operations: operations, Rule: rule}}
	}
	hooks := client.AdmissionregistrationV1()
	_, err := hooks.MutatingWebhookConfigurations().Create(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: meta,
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "label.example.com", ClientConfig: at("/label"), NamespaceSelector: own, SideEffects: &none, AdmissionReviewVersions: versions,
			Rules: pods(admissionregistrationv1.Create, admissionregistrationv1.Update),
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = hooks.ValidatingWebhookConfigurations().Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: meta,
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "refuse.example.com", ClientConfig: at("/refuse"), NamespaceSelector: own, SideEffects: &none, AdmissionReviewVersions: versions,
			Rules: pods(admissionregistrationv1.OperationAll),
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// reviewPods is a webhook that labels what it sees with the operation, and refuses a
// pod by its name.
func reviewPods(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	response := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	switch {
	case r.URL.Path == "/label":
		kind := admissionv1.PatchTypeJSONPatch
		response.PatchType = &kind
		response.Patch = []byte(`[{"op": "add", "path": "/metadata/labels", "value": {"seen": "` + string(review.Request.Operation) + `"}}]`)
	case review.Request.Name == "forbidden":
		response.Allowed, response.Result = false, &metav1.Status{Message: "not this name"}
	}
	review.Request, review.Response = nil, response
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(review); err != nil {
		panic(err) // the client then fails
	}
}
