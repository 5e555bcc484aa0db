// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package oidc_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/wait"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/authn/oidc"
	"github.com/stoa-project/stoa/authn/oidc/oidctest"
)

// patience is how long something may take that a test waits for.
const patience = time.Minute

// trust is a configuration of issuers whose tokens are for "stoa", with the prefix "x:".
func trust(issuers ...*oidctest.Issuer) *apiserver.AuthenticationConfiguration {
	out := &apiserver.AuthenticationConfiguration{}
	for _, i := range issuers {
		prefix := "x:"
		out.JWT = append(out.JWT, apiserver.JWTAuthenticator{
			Issuer:        apiserver.Issuer{URL: i.URL, Audiences: []string{"stoa"}, CertificateAuthority: i.CA},
			ClaimMappings: apiserver.ClaimMappings{Username: apiserver.PrefixedClaimOrExpression{Claim: "sub", Prefix: &prefix}},
		})
	}
	return out
}

// use believes the issuers of a configuration.
func use(t *testing.T, c *apiserver.AuthenticationConfiguration) *oidc.Issuers {
	t.Helper()
	issuers := oidc.New(oidc.Settings{})
	if err := issuers.Use(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return issuers
}

// ask says who has a token: the name of the user, or the error, or "nobody".
func ask(t *testing.T, issuers *oidc.Issuers, token string) string {
	t.Helper()
	response, ok, err := issuers.AuthenticateToken(t.Context(), token)
	switch {
	case err != nil:
		return err.Error()
	case ok:
		return response.User.GetName()
	}
	return "nobody"
}

// await waits until a token is one of a user.
func await(t *testing.T, issuers *oidc.Issuers, token, want string) {
	t.Helper()
	got := ""
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		got = ask(t, issuers, token)
		return got == want, nil
	})
	if err != nil {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	issuer := oidctest.Start(t)
	issuers := use(t, trust(issuer))
	await(t, issuers, issuer.Token(t, nil), "x:alice")
	key, id := issuer.Key()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der := x509.MarshalPKCS1PublicKey(&key.PublicKey)
	good := issuer.Token(t, nil)
	parts := strings.Split(good, ".")
	payload := func(change map[string]any) string {
		data, err := json.Marshal(issuer.Claims(change))
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	header := func(data string) string { return base64.RawURLEncoding.EncodeToString([]byte(data)) }
	signed := func(algorithm jose.SignatureAlgorithm, key any) string {
		return oidctest.Sign(t, jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, issuer.Claims(nil))
	}
	hour := func(n int) int64 { return time.Now().Add(time.Duration(n) * time.Hour).Unix() }
	for name, tc := range map[string]struct{ token, want string }{
		"good":               {good, "x:alice"},
		"several audiences":  {issuer.Token(t, map[string]any{"aud": []string{"other", "stoa"}}), "x:alice"},
		"expired":            {issuer.Token(t, map[string]any{"exp": hour(-1)}), "oidc: verify token: oidc: token is expired"},
		"no expiry":          {issuer.Token(t, map[string]any{"exp": nil}), "oidc: verify token: oidc: token is expired"},
		"not yet valid":      {issuer.Token(t, map[string]any{"nbf": hour(1)}), "oidc: verify token: oidc: current time"},
		"wrong audience":     {issuer.Token(t, map[string]any{"aud": "other"}), `oidc: verify token: oidc: expected audience "stoa" got ["other"]`},
		"no audience":        {issuer.Token(t, map[string]any{"aud": nil}), `oidc: verify token: oidc: expected audience "stoa" got []`},
		"other issuer":       {issuer.Token(t, map[string]any{"iss": "https://other"}), "nobody"},
		"slash after issuer": {issuer.Token(t, map[string]any{"iss": issuer.URL + "/"}), "nobody"},
		"no issuer":          {issuer.Token(t, map[string]any{"iss": nil}), "nobody"},
		"no user":            {issuer.Token(t, map[string]any{"sub": nil}), `oidc: parse username claims "sub": claim not present`},
		"user is no text":    {issuer.Token(t, map[string]any{"sub": 5}), "oidc: verify token: oidc: failed to unmarshal claims: json: cannot unmarshal number"},
		"wrong signer":       {signed(jose.RS256, stranger), "oidc: verify token: failed to verify signature: failed to verify id token signature"},
		"unknown key":        {oidctest.Sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: stranger, KeyID: "k"}}, issuer.Claims(nil)), "oidc: verify token: failed to verify signature: failed to verify id token signature"},
		"no algorithm":       {header(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + ".", `oidc: verify token: oidc: id token signed with unsupported algorithm, expected`},
		"empty algorithm":    {header(`{"alg":""}`) + "." + parts[1] + "." + parts[2], `oidc: verify token: oidc: id token signed with unsupported algorithm, expected`},
		"public key, DER":    {signed(jose.HS256, der), `oidc: verify token: oidc: id token signed with unsupported algorithm, expected`},
		"public key, PEM":    {signed(jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: der})), `oidc: verify token: oidc: id token signed with unsupported algorithm, expected`},
		"altered":            {parts[0] + "." + payload(map[string]any{"sub": "root"}) + "." + parts[2], "oidc: verify token: failed to verify signature: failed to verify id token signature"},
		"no signature":       {parts[0] + "." + parts[1] + ".", "oidc: verify token: failed to verify signature: failed to verify id token signature"},
		"two parts":          {parts[0] + "." + parts[1], "nobody"},
		"JSON":               {`{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`, "nobody"},
		"long":               {issuer.Token(t, map[string]any{"x": strings.Repeat("x", 70_000)}), "nobody"},
		"empty":              {"", "nobody"},
		"not UTF-8":          {"\xff.\xfe.\xfd", "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Messages with the time or all algorithms are compared by their beginning.
			if got := ask(t, issuers, tc.token); got != tc.want && (!strings.HasPrefix(tc.want, "oidc: ") || !strings.HasPrefix(got, tc.want)) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestAlgorithms believes only those that the flags have.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	issuer := oidctest.Start(t)
	issuers := oidc.New(oidc.Settings{Algorithms: []string{"ES256"}})
	if err := issuers.Use(t.Context(), trust(issuer)); err != nil {
		t.Fatal(err)
	}
	await(t, issuers, issuer.Token(t, nil), `oidc: verify token: oidc: id token signed with unsupported algorithm, expected ["ES256"] got "RS256"`)
	if err := oidc.CheckAlgorithms([]string{"RS256", "none"}); err == nil || err.Error() != `unsupported signing alg: "none"` {
		t.Errorf("error %v", err)
	}
}

// TestClaims maps claims to users, by name and by CEL.
func TestClaims(t *testing.T) {
	t.Parallel()
	issuer := oidctest.Start(t)
	empty, group := "", "g:"
	byName, byCEL := trust(issuer), trust(issuer)
	byName.JWT[0].ClaimMappings = apiserver.ClaimMappings{
		Username: apiserver.PrefixedClaimOrExpression{Claim: "email", Prefix: &empty},
		Groups:   apiserver.PrefixedClaimOrExpression{Claim: "roles", Prefix: &group},
		UID:      apiserver.ClaimOrExpression{Claim: "sub"},
	}
	byName.JWT[0].ClaimValidationRules = []apiserver.ClaimValidationRule{{Claim: "hd", RequiredValue: "example.com"}}
	byCEL.JWT[0].Issuer.Audiences, byCEL.JWT[0].Issuer.AudienceMatchPolicy = []string{"a", "stoa"}, apiserver.AudienceMatchPolicyMatchAny
	byCEL.JWT[0].ClaimMappings = apiserver.ClaimMappings{
		Username: apiserver.PrefixedClaimOrExpression{Expression: `claims.sub + ":" + claims.tenant.id`},
		Groups:   apiserver.PrefixedClaimOrExpression{Expression: `dyn(claims.roles).map(r, "g:" + r)`},
		UID:      apiserver.ClaimOrExpression{Expression: `claims.?uid.orValue("none")`},
		Extra:    []apiserver.ExtraMapping{{Key: "example.com/tenant", ValueExpression: "claims.tenant.id"}},
	}
	byCEL.JWT[0].ClaimValidationRules = []apiserver.ClaimValidationRule{{Expression: `claims.exp - claims.iat <= 86400`, Message: "a token of a day at most"}}
	byCEL.JWT[0].UserValidationRules = []apiserver.UserValidationRule{{Expression: `!user.username.startsWith("system:")`, Message: "no system: users"}}
	for name, tc := range map[string]struct {
		config *apiserver.AuthenticationConfiguration
		claims map[string]any
		want   *user.DefaultInfo
		err    string
	}{
		"by name": {
			byName, map[string]any{"email": "a@example.com", "hd": "example.com", "roles": []string{"dev", "ops"}, "jti": "j-1"},
			&user.DefaultInfo{Name: "a@example.com", UID: "alice", Groups: []string{"g:dev", "g:ops"}, Extra: map[string][]string{"authentication.kubernetes.io/credential-id": {"JTI=j-1"}}}, "",
		},
		"one group":        {byName, map[string]any{"email": "a@example.com", "hd": "example.com", "roles": "dev"}, &user.DefaultInfo{Name: "a@example.com", UID: "alice", Groups: []string{"g:dev"}}, ""},
		"not verified":     {byName, map[string]any{"email": "a@example.com", "hd": "example.com", "email_verified": false}, nil, "oidc: email not verified"},
		"no user name":     {byName, map[string]any{"email": "", "hd": "example.com"}, nil, "oidc: the token names no user"},
		"required missing": {byName, map[string]any{"email": "a@example.com"}, nil, "oidc: required claim hd not present in ID token"},
		"required other":   {byName, map[string]any{"email": "a@example.com", "hd": "x"}, nil, "oidc: required claim hd value does not match. Got = x, want = example.com"},
		"by expression": {
			byCEL, map[string]any{"roles": []string{"dev"}, "tenant": map[string]any{"id": "t1"}},
			&user.DefaultInfo{Name: "alice:t1", UID: "none", Groups: []string{"g:dev"}, Extra: map[string][]string{"example.com/tenant": {"t1"}}}, "",
		},
		"no tenant": {byCEL, map[string]any{"roles": []string{"dev"}}, nil, "oidc: error evaluating username claim expression: expression 'claims.sub + \":\" + claims.tenant.id' resulted in error: no such key: tenant"},
		"too long": {
			byCEL, map[string]any{"roles": []string{}, "tenant": map[string]any{"id": "t1"}, "exp": time.Now().Add(48 * time.Hour).Unix()}, nil,
			"oidc: error evaluating claim validation expression: validation expression 'claims.exp - claims.iat <= 86400' failed: a token of a day at most",
		},
		"system user": {
			byCEL, map[string]any{"sub": "system", "roles": []string{}, "tenant": map[string]any{"id": "admin"}}, nil,
			`oidc: error evaluating user info validation rule: validation expression '!user.username.startsWith("system:")' failed: no system: users`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuers := use(t, tc.config)
			token := issuer.Token(t, tc.claims)
			if tc.err != "" {
				await(t, issuers, token, tc.err)
				return
			}
			await(t, issuers, token, tc.want.Name)
			response, _, err := issuers.AuthenticateToken(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, response.User); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRotation has an issuer with a new key. A token of the old one is good while its
// answer is remembered, and no longer.
func TestRotation(t *testing.T) {
	t.Parallel()
	issuer := oidctest.Start(t)
	issuers := use(t, trust(issuer))
	old := issuer.Token(t, map[string]any{"sub": "old"})
	other := issuer.Token(t, map[string]any{"sub": "other"})
	await(t, issuers, old, "x:old")
	issuer.Rotate(t)
	if got := ask(t, issuers, issuer.Token(t, nil)); got != "x:alice" {
		t.Errorf("token of the new key: %s", got)
	}
	if got := ask(t, issuers, other); got != "oidc: verify token: failed to verify signature: failed to verify id token signature" {
		t.Errorf("token of the old key: %s", got)
	}
	// A good token is worth no call: the keys are there.
	before := issuer.Calls("/keys")
	for range 10 {
		if got := ask(t, issuers, issuer.Token(t, map[string]any{"n": time.Now().UnixNano()})); got != "x:alice" {
			t.Errorf("another token: %s", got)
		}
	}
	// Nor is one while the issuer is down.
	issuer.Break(true)
	if got := ask(t, issuers, issuer.Token(t, map[string]any{"n": 1})); got != "x:alice" {
		t.Errorf("while the issuer is down: %s", got)
	}
	if after := issuer.Calls("/keys"); after != before {
		t.Errorf("the keys were fetched %d times", after-before)
	}
}

// TestExpiry remembers nothing beyond its time.
func TestExpiry(t *testing.T) {
	t.Parallel()
	issuer := oidctest.Start(t)
	issuers := use(t, trust(issuer))
	await(t, issuers, issuer.Token(t, nil), "x:alice")
	short := issuer.Token(t, map[string]any{"exp": time.Now().Add(2 * time.Second).Unix()})
	if got := ask(t, issuers, short); got != "x:alice" && !strings.Contains(got, "expired") {
		t.Fatal(got)
	}
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 8*time.Second, true, func(context.Context) (bool, error) {
		return strings.Contains(ask(t, issuers, short), "token is expired"), nil
	})
	if err != nil {
		t.Errorf("the token is good for too long: %v", err)
	}
}

// TestUse changes the issuers.
func TestUse(t *testing.T) {
	t.Parallel()
	one, two := oidctest.Start(t), oidctest.Start(t)
	issuers := use(t, trust(one))
	ofOne, ofTwo := one.Token(t, nil), two.Token(t, map[string]any{"sub": "bob"})
	await(t, issuers, ofOne, "x:alice")
	if got := ask(t, issuers, ofTwo); got != "nobody" {
		t.Errorf("an issuer that is not there: %s", got)
	}
	change := func(c *apiserver.AuthenticationConfiguration) {
		t.Helper()
		if err := issuers.Use(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	// One that stays keeps its keys, though it is down.
	one.Break(true)
	discoveries := one.Calls("/.well-known/openid-configuration")
	change(trust(one, two))
	if got := ask(t, issuers, one.Token(t, map[string]any{"n": 1})); got != "x:alice" {
		t.Errorf("an issuer that stays: %s", got)
	}
	await(t, issuers, ofTwo, "x:bob")
	if again := one.Calls("/.well-known/openid-configuration"); again != discoveries {
		t.Error("an issuer that stays is discovered again")
	}
	// One that changes counts as it was until it answers.
	changed := trust(one, two)
	prefix := "y:"
	changed.JWT[0].ClaimMappings.Username.Prefix = &prefix
	change(changed)
	if got := ask(t, issuers, one.Token(t, map[string]any{"n": 2})); got != "x:alice" {
		t.Errorf("an issuer that changes while it is down: %s", got)
	}
	one.Break(false)
	prefix = "z:"
	again := trust(one, two)
	again.JWT[0].ClaimMappings.Username.Prefix = &prefix
	change(again)
	await(t, issuers, ofOne, "z:alice")
	// A mistake changes nothing.
	broken := trust(two)
	broken.JWT[0].ClaimMappings.Username = apiserver.PrefixedClaimOrExpression{}
	if err := issuers.Use(t.Context(), broken); err == nil {
		t.Error("there is no error")
	}
	if got := ask(t, issuers, ofOne); got != "z:alice" {
		t.Errorf("after a mistake: %s", got)
	}
	// One that is gone is gone at once, with what was remembered.
	change(trust(two))
	if got := ask(t, issuers, ofOne); got != "nobody" {
		t.Errorf("an issuer that is gone: %s", got)
	}
	if got := ask(t, issuers, ofTwo); got != "x:bob" {
		t.Errorf("the other issuer: %s", got)
	}
}

// TestDiscoveryURL looks for the document elsewhere.
func TestDiscoveryURL(t *testing.T) {
	t.Parallel()
	issuer := oidctest.Start(t)
	c := trust(issuer)
	c.JWT[0].Issuer.DiscoveryURL = issuer.URL + "/elsewhere"
	await(t, use(t, c), issuer.Token(t, nil), "x:alice")
	if asked := issuer.Calls("/.well-known/openid-configuration"); asked != 0 {
		t.Errorf("the usual place was asked %d times", asked)
	}
}

// TestParse reads configurations.
func TestParse(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"
	const issuer = "jwt:\n- issuer: {url: https://a.example, audiences: [a]}\n  claimMappings: {username: {claim: sub, prefix: \"\"}}\n"
	for name, tc := range map[string]struct{ data, err string }{
		"v1":              {head + issuer, ""},
		"v1beta1":         {strings.Replace(head, "/v1", "/v1beta1", 1) + issuer, ""},
		"no issuer":       {head, ""},
		"anonymous":       {head + "anonymous: {enabled: true, conditions: [{path: /healthz}]}\n", ""},
		"empty":           {" \n", "is empty"},
		"another kind":    {"apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n", "is no AuthenticationConfiguration but *apiserver.AuthorizationConfiguration"},
		"unknown version": {"apiVersion: apiserver.config.k8s.io/v9\nkind: AuthenticationConfiguration\n", `no kind "AuthenticationConfiguration" is registered for version "apiserver.config.k8s.io/v9" in scheme`},
		"unknown field":   {head + issuer + "  nosuch: 1\n", `strict decoding error: unknown field "jwt[0].nosuch"`},
		"twice":           {head + issuer + issuer, `strict decoding error: yaml: unmarshal errors:`},
		"own issuer":      {head + strings.Replace(issuer, "https://a.example", "https://own", 1), `jwt[0].issuer.url: Invalid value: "https://own": URL must not overlap with disallowed issuers: [https://own]`},
		"http":            {head + strings.Replace(issuer, "https:", "http:", 1), `jwt[0].issuer.url: Invalid value: "http://a.example": URL scheme must be https`},
		"expression":      {head + strings.Replace(issuer, `claim: sub, prefix: ""`, `expression: "claims."`, 1), `jwt[0].claimMappings.username.expression: Invalid value: "claims.": compilation failed: ERROR: <input>:1:8: Syntax error`},
		"egress":          {head + strings.Replace(issuer, "audiences", "egressSelectorType: cluster, audiences", 1), "jwt[0].issuer.egressSelectorType: Forbidden: this server has no egress selectors, and reaches every issuer directly"},
		"off, but paths":  {head + "anonymous: {enabled: false, conditions: [{path: /healthz}]}\n", "anonymous.conditions: Invalid value: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := oidc.Parse([]byte(tc.data), []string{"https://own"})
			if (err == nil) != (tc.err == "") || err != nil && !strings.HasPrefix(err.Error(), tc.err) {
				t.Errorf("error %v, want %s", err, tc.err)
			}
		})
	}
}

// TestDocument has the configuration that the document shows.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/authentication.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\napiVersion: apiserver.config.k8s.io/v1\n")
	example, _, ok := strings.Cut(rest, "```")
	c, err := oidc.Parse([]byte("apiVersion: apiserver.config.k8s.io/v1\n"+example), nil)
	if !ok || err != nil || len(c.JWT) != 1 || len(c.Anonymous.Conditions) != 3 {
		t.Errorf("%+v, %v", c, err)
	}
}

// FuzzParse reads anything without panic, and what it accepts can be used.
func FuzzParse(f *testing.F) {
	f.Add("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n- issuer: {url: https://a.example, audiences: [a]}\n  claimMappings: {username: {claim: sub, prefix: \"\"}}\n")
	f.Add(`{"apiVersion":"apiserver.config.k8s.io/v1beta1","kind":"AuthenticationConfiguration","anonymous":{"enabled":true}}`)
	f.Fuzz(func(t *testing.T, data string) {
		c, err := oidc.Parse([]byte(data), nil)
		if err != nil {
			return
		}
		// A context that has ended: nobody is asked for keys.
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := oidc.New(oidc.Settings{}).Use(ctx, c); err != nil {
			t.Errorf("accepted, but: %v", err)
		}
	})
}

// TestAskedInParallel is for the race detector.
func TestAskedInParallel(t *testing.T) {
	t.Parallel()
	one, two := oidctest.Start(t), oidctest.Start(t)
	issuers := use(t, trust(one))
	token := one.Token(t, nil)
	await(t, issuers, token, "x:alice")
	got := make(chan map[string]bool)
	for range 4 {
		go func() {
			seen := map[string]bool{}
			for range 200 {
				seen[ask(t, issuers, token)] = true
			}
			got <- seen
		}()
	}
	for n := range 20 {
		c := trust(one)
		if n%2 == 0 {
			c = trust(two, one)
		}
		if err := issuers.Use(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	for range 4 {
		if seen := slices.Collect(maps.Keys(<-got)); len(seen) != 1 || seen[0] != "x:alice" {
			t.Errorf("got %q", seen)
		}
	}
}
