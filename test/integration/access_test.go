// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/stoa-project/stoa/server/pki"
	"github.com/stoa-project/stoa/stoatest"
)

func anonymous() *rest.Config { return rest.AnonymousClientConfig(api.Config()) }

func TestAnonymous(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/healthz", "/livez", "/readyz", "/readyz?verbose", "/version", "/version/"} {
		if got := do(t, request{path: path, config: anonymous()}); got.code != 200 {
			t.Errorf("%s: %d %s", path, got.code, got.body)
		}
	}
	for _, tc := range []struct{ method, path, message string }{
		{"GET", "/", `forbidden: User "system:anonymous" cannot get path "/"`},
		{"GET", "/readyz/ping", `forbidden: User "system:anonymous" cannot get path "/readyz/ping"`},
		{"GET", "/livez/nosuch", `forbidden: User "system:anonymous" cannot get path "/livez/nosuch"`},
		{"GET", "/api", `forbidden: User "system:anonymous" cannot get path "/api"`},
		{"GET", "/apis", `forbidden: User "system:anonymous" cannot get path "/apis"`},
		{"GET", "/openapi/v2", `forbidden: User "system:anonymous" cannot get path "/openapi/v2"`},
		{"GET", "/metrics", `forbidden: User "system:anonymous" cannot get path "/metrics"`},
		{"GET", "/debug/pprof/", `forbidden: User "system:anonymous" cannot get path "/debug/pprof/"`},
		{"GET", configMaps, `configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"`},
		{"GET", configMaps + "/x", `configmaps "x" is forbidden: User "system:anonymous" cannot get resource "configmaps" in API group "" in the namespace "default"`},
		{"GET", tenants + "?watch=1", `tenants.tenancy.stoa.dev is forbidden: User "system:anonymous" cannot watch resource "tenants" in API group "tenancy.stoa.dev" at the cluster scope`},
		{"PUT", tenants + "/x/status", `tenants.tenancy.stoa.dev "x" is forbidden: User "system:anonymous" cannot update resource "tenants/status" in API group "tenancy.stoa.dev" at the cluster scope`},
		{"DELETE", tenants, `tenants.tenancy.stoa.dev is forbidden: User "system:anonymous" cannot deletecollection resource "tenants" in API group "tenancy.stoa.dev" at the cluster scope`},
	} {
		got := do(t, request{method: tc.method, path: tc.path, config: anonymous()})
		status := got.status(t)
		if got.code != 403 || status.Reason != "Forbidden" {
			t.Errorf("%s %s: %d %s, want 403", tc.method, tc.path, got.code, status.Reason)
		}
		if diff := cmp.Diff(tc.message, status.Message); diff != "" {
			t.Errorf("%s %s: message (-want +got):\n%s", tc.method, tc.path, diff)
		}
	}
}

// TestUnknownToken is an error, not anonymous.
func TestUnknownToken(t *testing.T) {
	t.Parallel()
	config := anonymous()
	config.BearerToken = "nobody-gave-me-this"
	if got := do(t, request{path: "/version", config: config}); got.code != 401 {
		t.Errorf("%d %s, want 401", got.code, got.body)
	}
}

// TestClientCertificates believes the CA of the data folder, and gives rights to
// masters alone.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := stoatest.Start(t, stoatest.WithDataDir(dir))
	own := pki.Store{Dir: filepath.Join(dir, "pki")}
	foreign := pki.Store{}
	for _, tc := range []struct {
		name    string
		store   pki.Store
		client  pki.Client
		code    int
		message string
	}{
		{"master", own, pki.Client{User: "root", Groups: []string{"system:masters"}}, 200, ""},
		{"user", own, pki.Client{User: "alice", Groups: []string{"dev"}}, 403, `namespaces is forbidden: User "alice" cannot list resource "namespaces" in API group "" at the cluster scope`},
		{"nearly a master", own, pki.Client{User: "system:masters"}, 403, `namespaces is forbidden: User "system:masters" cannot list resource "namespaces" in API group "" at the cluster scope`},
		{"foreign CA", foreign, pki.Client{User: "root", Groups: []string{"system:masters"}}, 401, "Unauthorized"},
	} {
		authority, err := tc.store.EnsureCA(t.Context(), "stoa-ca")
		if err != nil {
			t.Fatal(err)
		}
		pair, err := authority.EnsureClient(t.Context(), strings.ReplaceAll(tc.name, " ", "-"), tc.client)
		if err != nil {
			t.Fatal(err)
		}
		config := rest.AnonymousClientConfig(server.Config())
		config.CertData, config.KeyData = pair.CertPEM, pair.KeyPEM
		got := do(t, request{path: "/api/v1/namespaces", config: config})
		if got.code != tc.code {
			t.Errorf("%s: %d %s, want %d", tc.name, got.code, got.body, tc.code)
		}
		if tc.code != 200 {
			if diff := cmp.Diff(tc.message, got.status(t).Message); diff != "" {
				t.Errorf("%s: message (-want +got):\n%s", tc.name, diff)
			}
		}
	}
	certificate, err := cert.CertsFromFile(filepath.Join(dir, "pki", "admin.crt"))
	if err != nil || certificate[0].Subject.CommonName != "stoa-admin" {
		t.Errorf("certificate of the administrator: %v, %v", certificate, err)
	}
	for path, mode := range map[string]os.FileMode{"": 0o700, "admin.kubeconfig": 0o600, "pki/admin.key": 0o600, "pki/stoa-ca.key": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || path != "" && info.Mode().Perm() != mode {
			t.Errorf("mode of %q is %v, want %v (%v)", path, info.Mode().Perm(), mode, err)
		}
	}
	if _, err := keyutil.PrivateKeyFromFile(filepath.Join(dir, "pki", "admin.key")); err != nil {
		t.Error(err)
	}
}

// TestImpersonation is for administrators, and takes their rights away.
func TestImpersonation(t *testing.T) {
	t.Parallel()
	as := map[string]string{"Impersonate-User": "bob"}
	got := do(t, request{path: "/api/v1/namespaces", header: as})
	want := `namespaces is forbidden: User "bob" cannot list resource "namespaces" in API group "" at the cluster scope`
	if diff := cmp.Diff(want, got.status(t).Message); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	got = do(t, request{path: "/version", header: as, config: anonymous()})
	want = `forbidden: User "system:anonymous" cannot impersonate-on:user-info:get path "/version"`
	if diff := cmp.Diff(want, got.status(t).Message); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}
