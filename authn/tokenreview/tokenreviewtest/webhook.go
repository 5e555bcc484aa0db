// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package tokenreviewtest is a service for tests that knows tokens: an HTTPS server that
// answers TokenReviews of both versions, and can be made to fail.
package tokenreviewtest

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Webhook is a running service.
type Webhook struct {
	// Kubeconfig is a file with its address.
	Kubeconfig string

	mu       sync.Mutex
	fail     http.HandlerFunc
	tokens   []string
	versions []string
	now, max int
}

// Start runs a service until the test is over. It knows "token-NAME" as the user NAME in
// the group "webhooks", and no other token; "token-" is a user without a name.
func Start(tb testing.TB) *Webhook {
	tb.Helper()
	w := &Webhook{Kubeconfig: filepath.Join(tb.TempDir(), "webhook.kubeconfig")}
	server := httptest.NewTLSServer(w)
	tb.Cleanup(server.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["w"] = &clientcmdapi.Cluster{
		Server:                   server.URL + "/authenticate",
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
	config.Contexts["w"] = &clientcmdapi.Context{Cluster: "w"}
	config.CurrentContext = "w"
	data, err := clientcmd.Write(*config)
	if err == nil {
		err = os.WriteFile(w.Kubeconfig, data, 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// Fail has calls answered by a handler from now on. Nil mends that.
func (w *Webhook) Fail(with http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = with
}

// Status fails with a status code.
func Status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", code) }
}

// Calls is how often the service was asked, and Most how often at once.
func (w *Webhook) Calls() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.tokens)
}

// Most is the most calls that were under way at once.
func (w *Webhook) Most() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.max
}

// Saw reports whether the service was asked about a token.
func (w *Webhook) Saw(token string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.tokens, token)
}

// Versions are those of the calls.
func (w *Webhook) Versions() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.versions)
}

// ServeHTTP implements http.Handler.
func (w *Webhook) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	var review authenticationv1.TokenReview // v1beta1 has the same fields
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || r.URL.Path != "/authenticate" || r.Method != http.MethodPost {
		http.Error(out, "no review", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	w.tokens, w.versions = append(w.tokens, review.Spec.Token), append(w.versions, review.APIVersion)
	w.now++
	w.max = max(w.max, w.now)
	fail := w.fail
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.now--
	}()
	if fail != nil {
		fail(out, r)
		return
	}
	name, ok := strings.CutPrefix(review.Spec.Token, "token-")
	switch {
	case ok:
		review.Status.Authenticated, review.Status.Audiences = true, review.Spec.Audiences
		review.Status.User = authenticationv1.UserInfo{
			Username: name, UID: "uid-" + name, Groups: []string{"webhooks"}, Extra: map[string]authenticationv1.ExtraValue{"example.com/from": {"webhook"}},
		}
	case review.Spec.Token == "revoked":
		review.Status.Error = "the token was taken back"
	}
	out.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(out).Encode(review); err != nil {
		panic(http.ErrAbortHandler)
	}
}
