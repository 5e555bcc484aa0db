// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/stoa-project/stoa/stoatest"
)

// TestModes starts servers that decide in other ways than the shared one.
func TestModes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy")
	const line = `{"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy", "spec": {"user": "ann", "readonly": true, "apiGroup": "*", "resource": "*", "namespace": "default"}}`
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	policy := "--authorization-policy-file=" + file
	for name, test := range map[string]struct {
		flags       []string
		reads, asks bool // config maps; for the own rights
	}{
		"a policy":           {[]string{"--authorization-mode=ABAC", policy}, true, false},
		"a policy and roles": {[]string{"--authorization-mode=ABAC,RBAC", policy}, true, true},
		"roles":              {[]string{"--authorization-mode=RBAC"}, false, true},
		"everything":         {[]string{"--authorization-mode=AlwaysAllow"}, true, true},
		"nothing":            {[]string{"--authorization-mode=AlwaysDeny"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := stoatest.Start(t, stoatest.WithFlags(test.flags...))
			ann := impersonate(t, server, "ann")
			_, err := ann.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
			if test.reads != (err == nil) || err != nil && !apierrors.IsForbidden(err) {
				t.Errorf("list: %v", err)
			}
			_, err = ann.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods"}},
			}, metav1.CreateOptions{})
			if test.asks != (err == nil) {
				t.Errorf("ask for own rights: %v", err)
			}
			if _, err := defaultConfigMaps(t, server).List(t.Context(), metav1.ListOptions{}); err != nil {
				t.Errorf("the administrator: %v", err)
			}
			// Nobody is let in without a name where everybody may do everything.
			nobody, err := kubernetes.NewForConfig(rest.AnonymousClientConfig(server.Config()))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = nobody.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{}); err == nil {
				t.Error("anybody may list config maps")
			}
		})
	}
}

// reviewer is a webhook that decides about access: ann may list config maps.
type reviewer struct {
	*httptest.Server

	asked atomic.Int32
}

func newReviewer(t *testing.T) *reviewer {
	t.Helper()
	r := &reviewer{}
	r.Server = httptest.NewTLSServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP answers a SubjectAccessReview.
func (r *reviewer) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var review authorizationv1.SubjectAccessReview
	if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.asked.Add(1)
	of := review.Spec.ResourceAttributes
	review.Status.Allowed = of != nil && review.Spec.User == "ann" && of.Verb == "list" && of.Resource == "configmaps"
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(review); err != nil {
		panic(err) // the client then fails
	}
}

// kubeconfig writes the file with the address of the webhook.
func (r *reviewer) kubeconfig(t *testing.T) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["reviewer"] = &clientcmdapi.Cluster{
		Server: r.URL, CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}),
	}
	config.Contexts["reviewer"] = &clientcmdapi.Context{Cluster: "reviewer"}
	config.CurrentContext = "reviewer"
	file := filepath.Join(t.TempDir(), "reviewer.kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAuthorizationWebhook asks a webhook, once for what it is asked again soon.
func TestAuthorizationWebhook(t *testing.T) {
	t.Parallel()
	webhook := newReviewer(t)
	server := stoatest.Start(t, stoatest.WithFlags("--authorization-mode=Webhook", "--authorization-webhook-version=v1",
		"--authorization-webhook-config-file="+webhook.kubeconfig(t)))
	ann := impersonate(t, server, "ann").CoreV1().ConfigMaps("default")
	for range 3 {
		if _, err := ann.List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
	}
	if asked := webhook.asked.Load(); asked != 1 {
		t.Errorf("asked %d times, want 1", asked)
	}
	if err := ann.Delete(t.Context(), "none", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("delete: %v, want Forbidden", err)
	}
	webhook.Close()
	if _, err := ann.List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("what was allowed just before: %v", err)
	}
	if _, err := ann.Get(t.Context(), "none", metav1.GetOptions{}); err == nil || apierrors.IsNotFound(err) {
		t.Errorf("what nobody can be asked about: %v", err)
	}
}

const authorizationHead = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n"

// TestAuthorizationConfig changes the file while the server runs.
func TestAuthorizationConfig(t *testing.T) {
	t.Parallel()
	webhook := newReviewer(t)
	file := filepath.Join(t.TempDir(), "authorization.yaml")
	write := func(authorizers string) {
		t.Helper()
		next := file + ".next"
		if err := os.WriteFile(next, []byte(authorizationHead+authorizers), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, file); err != nil {
			t.Fatal(err)
		}
	}
	write("- {type: RBAC, name: rbac}\n")
	server := stoatest.Start(t, stoatest.WithFlags("--authorization-config="+file))
	ann := impersonate(t, server, "ann").CoreV1().ConfigMaps("default")
	bob := impersonate(t, server, "bob").CoreV1().ConfigMaps("default")
	if _, err := ann.List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("before: %v, want Forbidden", err)
	}
	write(`- type: Webhook
  name: counted
  webhook:
    timeout: 3s
    authorizedTTL: 1s
    unauthorizedTTL: 1s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: Deny
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: ` + webhook.kubeconfig(t) + `}
    matchConditions: [{expression: "request.user == 'ann'"}]
- {type: RBAC, name: rbac}
`)
	eventually(t, func() string {
		_, err := ann.List(t.Context(), metav1.ListOptions{})
		return text(err)
	})
	if _, err := bob.List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("whom no condition matches: %v, want Forbidden", err)
	}
	metrics := string(do(t, request{path: "/metrics", config: server.Config()}).body)
	for _, want := range []string{
		`apiserver_authorization_decisions_total{decision="allowed",name="counted",type="Webhook"}`,
		`apiserver_authorization_match_condition_exclusions_total{name="counted",type="Webhook"}`,
		`apiserver_authorization_match_condition_evaluation_seconds_count{name="counted",type="Webhook"}`,
		`apiserver_authorization_webhook_evaluations_total{name="counted",result="success"}`,
	} {
		if !strings.Contains(metrics, "\n"+want) {
			t.Errorf("there is no metric %s", want)
		}
	}
	asked := webhook.asked.Load()
	write("- {type: Nosuch, name: counted}\n") // changes nothing
	if _, err := ann.List(t.Context(), metav1.ListOptions{}); err != nil || webhook.asked.Load() < asked {
		t.Errorf("after a mistake: %v", err)
	}
	write("- {type: RBAC, name: rbac}\n")
	eventually(t, func() string {
		if _, err := ann.List(t.Context(), metav1.ListOptions{}); err == nil {
			return "ann still may"
		}
		return ""
	})
}
