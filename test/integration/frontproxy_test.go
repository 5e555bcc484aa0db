// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/http"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/server/pki"
	"github.com/stoa-project/stoa/stoatest"
)

// TestFrontProxyNames believes a name from the authority that may give it, and from no
// other.
func TestFrontProxyNames(t *testing.T) {
	t.Parallel()
	given := pki.Store{Dir: t.TempDir()}
	if _, err := given.EnsureCA(t.Context(), "proxies"); err != nil {
		t.Fatal(err)
	}
	file := "--requestheader-client-ca-file=" + filepath.Join(given.Dir, "proxies.crt")
	const gate, own, other = "gate", "front-proxy-client", "other"
	for name, tc := range map[string]struct {
		flags    []string
		given    map[string]bool // by name in the certificate
		ownFront map[string]bool
	}{
		"names":    {[]string{file, "--requestheader-allowed-names=gate"}, map[string]bool{gate: true, own: false, other: false}, map[string]bool{gate: false, own: true, other: false}},
		"any name": {[]string{file}, map[string]bool{gate: true, own: true}, map[string]bool{gate: false, own: true}},
		"no CA":    {[]string{"--requestheader-allowed-names=gate"}, map[string]bool{gate: false}, map[string]bool{gate: true, own: true, other: false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			server := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags(tc.flags...))
			check := func(whose string, certificate *pki.Pair, believed bool) {
				t.Helper()
				config := stranger(server, func(c *rest.Config) { c.CertData, c.KeyData = certificate.CertPEM, certificate.KeyPEM })
				got := do(t, request{
					method: http.MethodPost, path: "/apis/authentication.k8s.io/v1/selfsubjectreviews", config: config,
					body:   []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`),
					header: map[string]string{"X-Remote-User": "jane", "X-Remote-Group": "system:masters"},
				})
				switch {
				case !believed && got.code != http.StatusUnauthorized:
					t.Errorf("%s is believed: %d %s", whose, got.code, got.body)
				case believed && got.code != http.StatusCreated:
					t.Errorf("%s is not believed: %d %s", whose, got.code, got.body)
				}
			}
			for authority, names := range map[string]map[string]bool{"proxies": tc.given, "front-proxy-ca": tc.ownFront} {
				store := pki.Store{Dir: filepath.Join(dir, "pki")}
				if authority == "proxies" {
					store = given
				}
				ca, err := store.OpenCA(authority)
				if err != nil {
					t.Fatal(err)
				}
				for name, believed := range names {
					pair, err := ca.IssueClient(t.Context(), pki.Client{User: name})
					if err != nil {
						t.Fatal(err)
					}
					check(name+" of "+authority, pair, believed)
				}
			}
		})
	}
}
