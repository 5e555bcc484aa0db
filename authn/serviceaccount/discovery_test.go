// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/emicklei/go-restful/v3"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/stoa-project/stoa/authn/serviceaccount"
)

func TestDiscovery(t *testing.T) {
	t.Parallel()
	keys, err := serviceaccount.NewKeys(testKeys()["RSA"].Public(), testKeys()[""], testKeys()["other"])
	if err != nil {
		t.Fatal(err)
	}
	discovery, err := serviceaccount.NewDiscovery(issuerName, "https://api.example.com/openid/v1/jwks", keys)
	if err != nil {
		t.Fatal(err)
	}
	container := restful.NewContainer()
	discovery.Install(container)
	get := func(path, contentType string) []byte {
		recorder := httptest.NewRecorder()
		container.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if recorder.Code != http.StatusOK {
			t.Fatalf("%s: %d", path, recorder.Code)
		}
		want := http.Header{"Content-Type": {contentType}, "Cache-Control": {"public, max-age=3600"}}
		if diff := cmp.Diff(want, recorder.Header()); diff != "" {
			t.Errorf("header of %s (-want +got):\n%s", path, diff)
		}
		return recorder.Body.Bytes()
	}
	const configuration = `{"issuer":"https://kubernetes.default.svc","jwks_uri":"https://api.example.com/openid/v1/jwks",` +
		`"response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256","RS256"]}`
	if diff := cmp.Diff(configuration, string(get("/.well-known/openid-configuration", "application/json"))); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	// Others verify a token with what they find.
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(get("/openid/v1/jwks", "application/jwk-set+json"), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		if !key.IsPublic() || key.Use != "sig" {
			t.Errorf("key %s is public: %t, for %q", key.KeyID, key.IsPublic(), key.Use)
		}
	}
	token, err := jwt.ParseSigned(issue(t, "RSA", nil), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := token.Claims(set, &claims); err != nil || claims.Subject != "system:serviceaccount:shop:clerk" {
		t.Errorf("claims %v, error %v", claims, err)
	}
}

func TestNoDiscovery(t *testing.T) {
	t.Parallel()
	keys, err := serviceaccount.NewKeys(testKeys()[""])
	if err != nil {
		t.Fatal(err)
	}
	for issuer, want := range map[string]string{
		"":                       "issuer URL must use https scheme, got: ",
		"kubernetes":             "issuer URL must use https scheme, got: kubernetes",
		"http://example.com":     "issuer URL must use https scheme, got: http://example.com",
		"https://example.com?a=": "issuer URL may not include a query, got: https://example.com?a=",
		"https://example.com#a":  "issuer URL may not include a fragment, got: https://example.com#a",
		"https://%":              `issuer: parse "https://%": invalid URL escape "%"`,
	} {
		if _, err := serviceaccount.NewDiscovery(issuer, "https://x", keys); text(err) != want {
			t.Errorf("issuer %q: error %q, want %q", issuer, err, want)
		}
	}
	if _, err := serviceaccount.NewDiscovery(issuerName, "https://x", serviceaccount.Keys{}); text(err) != "there are no keys" {
		t.Errorf("error %v", err)
	}
}
