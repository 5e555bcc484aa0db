// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/authn/oidc/oidctest"
	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// untilUser waits until a token is that of a user. An issuer is asked for its keys in
// the background.
func untilUser(t *testing.T, server *stoatest.Server, token string, want authenticationv1.UserInfo) {
	t.Helper()
	eventually(t, func() string {
		got, err := whois(t, stranger(server, withToken(token)))
		if want.Username == "" && text(err) == "Unauthorized" {
			return ""
		}
		if err != nil {
			return text(err)
		}
		return cmp.Diff(want, got)
	})
}

// TestOIDC believes an issuer of flags, and nobody who pretends to be it.
func TestOIDC(t *testing.T) {
	t.Parallel()
	issuer := oidctest.Start(t)
	server := stoatest.Start(t, stoatest.WithFlags("--oidc-issuer-url="+issuer.URL, "--oidc-client-id=stoa", "--oidc-ca-file="+secretFile(t, "ca.crt", issuer.CA),
		"--oidc-groups-claim=groups", "--oidc-groups-prefix=oidc:", "--oidc-required-claim=hd=example.com"))
	claims := map[string]any{"hd": "example.com", "groups": []string{"dev", "system:masters"}}
	good := issuer.Token(t, claims)
	alice := authenticationv1.UserInfo{Username: issuer.URL + "#alice", Groups: []string{"oidc:dev", "oidc:system:masters", "system:authenticated"}}
	untilUser(t, server, good, alice)
	parts := strings.Split(good, ".")
	for name, tc := range map[string]struct {
		headers []string
		code    int
	}{
		"good":                  {[]string{"Bearer " + good}, 201},
		"lower case":            {[]string{"bearer " + good}, 201},
		"without claim":         {[]string{"Bearer " + issuer.Token(t, nil)}, 401},
		"altered":               {[]string{"Bearer " + parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+issuer.URL+`","sub":"root","aud":"stoa","exp":99999999999}`)) + "." + parts[2]}, 401},
		"none":                  {[]string{"Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."}, 401},
		"empty":                 {[]string{"Bearer "}, 403}, // none at all
		"not UTF-8":             {[]string{"Bearer \xff\xfe"}, 401},
		"long":                  {[]string{"Bearer " + strings.Repeat("x", 500_000)}, 401},
		"too long":              {[]string{"Bearer " + strings.Repeat("x", 3<<20)}, 431},
		"two headers":           {[]string{"Bearer " + good, "Bearer x"}, 401},
		"two headers, reversed": {[]string{"Bearer x", "Bearer " + good}, 401},
		"the same twice":        {[]string{"Bearer " + good, "Bearer " + good}, 401},
		"basic and bearer":      {[]string{"Basic YTpi", "Bearer " + good}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code := review(t, server, http.Header{"Authorization": tc.headers}); code != tc.code {
				t.Errorf("status %d, want %d", code, tc.code)
			}
		})
	}
	// The other methods are as before, though the issuer is down.
	issuer.Break(true)
	admin := clientFor(t, server.Config())
	account(t, admin, "default")
	if _, err := whoami(t.Context(), clientFor(t, bearer(server.Config(), tokenOf(t, admin, "default", authenticationv1.TokenRequestSpec{}).Status.Token))); err != nil {
		t.Errorf("service account: %v", err)
	}
	// Who reviews a token learns the same.
	answer, err := admin.AuthenticationV1().TokenReviews().Create(t.Context(), &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: good}}, metav1.CreateOptions{})
	if err != nil || !answer.Status.Authenticated || answer.Status.User.Username != alice.Username {
		t.Errorf("review %+v, %v", answer, err)
	}
}

// review asks who sends a request with headers, over HTTP/1.1, and returns the status.
func review(t *testing.T, server *stoatest.Server, header http.Header) int {
	t.Helper()
	config := stranger(server, func(c *rest.Config) { c.NextProtos = []string{"http/1.1"} })
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, config.Host+"/apis/authentication.k8s.io/v1/selfsubjectreviews",
		strings.NewReader(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// TestAuthenticationConfig follows the file, and opens some paths.
func TestAuthenticationConfig(t *testing.T) {
	t.Parallel()
	one, two := oidctest.Start(t), oidctest.Start(t)
	const anonymous = "anonymous: {enabled: true, conditions: [{path: /readyz}]}\n"
	file := func(version, anonymous string, issuers ...*oidctest.Issuer) string {
		out := "apiVersion: apiserver.config.k8s.io/" + version + "\nkind: AuthenticationConfiguration\n" + anonymous
		if len(issuers) > 0 {
			out += "jwt:\n"
		}
		for _, i := range issuers {
			out += fmt.Sprintf("- issuer: {url: %q, audiences: [stoa, other], audienceMatchPolicy: MatchAny, certificateAuthority: %q}\n", i.URL, i.CA)
			out += "  claimMappings:\n    username: {expression: '\"sso:\" + claims.sub'}\n    groups: {expression: 'claims.?roles.orValue([])'}\n"
			out += "  userValidationRules: [{expression: \"!user.groups.exists(g, g.startsWith('system:'))\", message: no system groups}]\n"
		}
		return out
	}
	path := secretFile(t, "authentication.yaml", file("v1", anonymous, one))
	server := stoatest.Start(t, stoatest.WithFlags("--authentication-config="+path))
	write := func(data string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ofOne, ofTwo := one.Token(t, map[string]any{"roles": []string{"dev"}}), two.Token(t, map[string]any{"sub": "bob"})
	alice := authenticationv1.UserInfo{Username: "sso:alice", Groups: []string{"dev", "system:authenticated"}}
	bob := authenticationv1.UserInfo{Username: "sso:bob", Groups: []string{"system:authenticated"}}
	nobody := authenticationv1.UserInfo{}
	untilUser(t, server, ofOne, alice)
	wantUser(t, "another issuer", stranger(server, withToken(ofTwo)), nobody)
	wantUser(t, "against a rule", stranger(server, withToken(one.Token(t, map[string]any{"roles": []string{"system:masters"}}))), nobody)
	for path, want := range map[string]int{
		"/readyz": 200, "/livez": 401, "/version": 401, "/readyz/": 401, "/readyz/ping": 401, "/readyz?verbose": 200, "/readyz/../version": 401, "//readyz": 401, "/api": 401,
	} {
		if got := do(t, request{path: path, config: stranger(server, func(*rest.Config) {})}); got.code != want {
			t.Errorf("%s: %d, want %d", path, got.code, want)
		}
	}
	reloads := func(status string) string {
		metrics := do(t, request{path: "/metrics", config: server.Config()})
		for line := range strings.Lines(string(metrics.body)) {
			if strings.HasPrefix(line, "apiserver_authentication_config_controller_automatic_reloads_total") && strings.Contains(line, `status="`+status+`"`) {
				return "there is one"
			}
		}
		return ""
	}
	write(file("v1", "anonymous: {enabled: true}\n", two)) // must not change
	eventually(t, func() string {
		if reloads("failure") == "" {
			return "the change is not seen"
		}
		return ""
	})
	wantUser(t, "after a mistake", stranger(server, withToken(ofOne)), alice)
	write(file("v1beta1", anonymous, one, two))
	untilUser(t, server, ofTwo, bob)
	wantUser(t, "an issuer that stays", stranger(server, withToken(ofOne)), alice)
	write(file("v1", anonymous, two))
	untilUser(t, server, ofOne, nobody)
	wantUser(t, "the other issuer", stranger(server, withToken(ofTwo)), bob)
	write(file("v1", anonymous))
	untilUser(t, server, ofTwo, nobody)
	if reloads("success") == "" {
		t.Error("no reload is counted")
	}
}

// TestAuthenticationErrors names the flag and the field.
func TestAuthenticationErrors(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"
	path := secretFile(t, "a.yaml", head+"jwt: [{issuer: {url: 'https://a.example', audiences: [a], egressSelectorType: cluster}, claimMappings: {username: {claim: sub, prefix: ''}}}]\n")
	open := secretFile(t, "open.yaml", head+"anonymous: {enabled: true}\n")
	for name, tc := range map[string]struct {
		flags []string
		err   string
	}{
		"egress": {[]string{"--authentication-config=" + path}, "--authentication-config " + path + ": jwt[0].issuer.egressSelectorType: Forbidden: this server has no egress selectors, and reaches every issuer directly"},
		"missing": {
			[]string{"--authentication-config=" + path + "x"}, "--authentication-config: open " + path + "x: no such file or directory",
		},
		"with issuer flags": {[]string{"--authentication-config=" + path, "--oidc-username-claim=sub"}, "authentication-config file and oidc-* flags are mutually exclusive"},
		"with anonymous": {
			[]string{"--authentication-config=" + open, "--anonymous-auth=true"},
			"--authentication-config " + open + ": anonymous: Forbidden: --anonymous-auth flag cannot be set when anonymous field is configured in authentication configuration file",
		},
		"half an issuer":      {[]string{"--oidc-issuer-url=https://a.example"}, "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set"},
		"nothing but a claim": {[]string{"--oidc-groups-claim=g"}, "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set"},
		"algorithm": {
			[]string{"--oidc-issuer-url=https://a.example", "--oidc-client-id=a", "--oidc-signing-algs=HS256"}, `--oidc-signing-algs: unsupported signing alg: "HS256"`,
		},
		"http": {
			[]string{"--oidc-issuer-url=http://a.example", "--oidc-client-id=a"},
			`--oidc-*: invalid authentication configuration: jwt[0].issuer.url: Invalid value: "http://a.example": URL scheme must be https`,
		},
		"itself": {
			[]string{"--oidc-issuer-url=https://kubernetes.default.svc", "--oidc-client-id=a"},
			`--oidc-*: invalid authentication configuration: jwt[0].issuer.url: Invalid value: "https://kubernetes.default.svc": URL must not overlap with disallowed issuers: [https://kubernetes.default.svc]`,
		},
		"no CA":    {[]string{"--oidc-issuer-url=https://a.example", "--oidc-client-id=a", "--oidc-ca-file=" + path + "x"}, "--oidc-ca-file: open " + path + "x: no such file or directory"},
		"webhook":  {[]string{"--authentication-token-webhook-config-file=" + path + "x"}, "--authentication-token-webhook-config-file: " + path + "x: stat " + path + "x: no such file or directory"},
		"version":  {[]string{"--authentication-token-webhook-version=v2"}, `--authentication-token-webhook-version: unsupported version "v2", supported versions are "v1", "v1beta1"`},
		"inflight": {[]string{"--authentication-token-webhook-max-inflight=0"}, "--authentication-token-webhook-max-inflight must be positive"},
		"cache":    {[]string{"--authentication-token-webhook-cache-ttl=-1s"}, "--authentication-token-webhook-cache-ttl must not be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := server.NewOptions()
			if err := options.Flags().Parse(append(tc.flags, "--data-dir="+t.TempDir())); err != nil {
				t.Fatal(err)
			}
			completed, err := options.Complete(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := completed.Validate(); text(err) != tc.err {
				t.Errorf("error %v, want %s", err, tc.err)
			}
		})
	}
}
