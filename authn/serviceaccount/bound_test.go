// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/authn/serviceaccount"
	"github.com/stoa-project/stoa/registry/kind"
)

func toPod(c *kind.TokenClaims) {
	c.Pod, c.Node = &kind.TokenObject{Name: "till", UID: "uid-of-till"}, &kind.TokenObject{Name: "worker", UID: "uid-of-worker"}
}

func toSecret(c *kind.TokenClaims) {
	c.Secret = &kind.TokenObject{Name: "drawer", UID: "uid-of-drawer"}
}

func toNode(c *kind.TokenClaims) {
	c.Node = &kind.TokenObject{Name: "worker", UID: "uid-of-worker"}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	pod := map[string][]string{
		"authentication.kubernetes.io/pod-name": {"till"}, "authentication.kubernetes.io/pod-uid": {"uid-of-till"},
		"authentication.kubernetes.io/node-name": {"worker"}, "authentication.kubernetes.io/node-uid": {"uid-of-worker"},
	}
	node := map[string][]string{
		"authentication.kubernetes.io/node-name": {"worker"}, "authentication.kubernetes.io/node-uid": {"uid-of-worker"},
	}
	for name, tc := range map[string]struct {
		claims func(*kind.TokenClaims)
		later  time.Duration
		change func(*fixture)
		extra  map[string][]string
	}{
		"no object":                     {},
		"a pod":                         {claims: toPod, extra: pod},
		"a pod whose node is gone":      {claims: toPod, change: func(f *fixture) { clear(f.nodes) }, extra: pod},
		"a pod that has time to end":    {claims: toPod, change: func(f *fixture) { f.pods["till"].DeletionTimestamp = &metav1.Time{Time: start()} }, extra: pod},
		"a secret":                      {claims: toSecret},
		"a node":                        {claims: toNode, extra: node},
		"just ended":                    {later: time.Hour + 59*time.Second},
		"a clock that is behind":        {later: -59 * time.Second},
		"more audiences":                {claims: func(c *kind.TokenClaims) { c.Audiences = []string{"vault", issuerName} }},
		"late but warned of":            {claims: func(c *kind.TokenClaims) { c.WarnAfter, c.Seconds = 3607, 86400 }, later: 2 * time.Hour},
		"an account with time to end":   {change: func(f *fixture) { f.accounts["clerk"].DeletionTimestamp = &metav1.Time{Time: start()} }},
		"another issuer of this server": {change: func(f *fixture) { f.Issuers = []string{"https://new.example.com", issuerName} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			if tc.change != nil {
				tc.change(f)
			}
			f.clock.SetTime(start().Add(tc.later))
			response, ok, err := serviceaccount.New(f.Config).AuthenticateToken(t.Context(), issue(t, "", tc.claims))
			if err != nil || !ok {
				t.Fatalf("accepted: %t, error %v", ok, err)
			}
			who := response.User.(*user.DefaultInfo)
			if id := who.Extra["authentication.kubernetes.io/credential-id"]; len(id) != 1 || !strings.HasPrefix(id[0], "JTI=") {
				t.Errorf("credential ID %q", id)
			}
			delete(who.Extra, "authentication.kubernetes.io/credential-id")
			if tc.extra == nil {
				tc.extra = map[string][]string{}
			}
			want := &user.DefaultInfo{
				Name: "system:serviceaccount:shop:clerk", UID: "uid-of-clerk",
				Groups: []string{"system:serviceaccounts", "system:serviceaccounts:shop"}, Extra: tc.extra,
			}
			if diff := cmp.Diff(want, who); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(authenticator.Audiences{issuerName}, response.Audiences); diff != "" {
				t.Errorf("audiences (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRefused has tokens that the server issued and that hold no more.
func TestRefused(t *testing.T) {
	t.Parallel()
	gone := &metav1.Time{Time: start().Add(-61 * time.Second)}
	for name, tc := range map[string]struct {
		claims func(*kind.TokenClaims)
		later  time.Duration
		change func(*fixture)
		want   string
	}{
		"expired":       {later: time.Hour + 61*time.Second, want: "service account token has expired"},
		"not yet valid": {later: -61 * time.Second, want: "service account token is not valid yet"},
		"audience": {
			claims: func(c *kind.TokenClaims) { c.Audiences = []string{"vault"} },
			want:   `token audiences ["vault"] is invalid for the target audiences ["https://kubernetes.default.svc"]`,
		},
		"account gone": {change: func(f *fixture) { clear(f.accounts) }, want: `serviceaccounts "clerk" not found`},
		"account again": {
			change: func(f *fixture) { f.accounts["clerk"].UID = "another" },
			want:   "service account UID (another) does not match claim (uid-of-clerk)",
		},
		"account ending": {
			change: func(f *fixture) { f.accounts["clerk"].DeletionTimestamp = gone },
			want:   "service account shop/clerk has been deleted",
		},
		"pod gone": {claims: toPod, change: func(f *fixture) { clear(f.pods) }, want: "service account token has been invalidated"},
		"pod again": {
			claims: toPod, change: func(f *fixture) { f.pods["till"].UID = "another" },
			want: "pod UID (another) does not match service account pod ref claim (uid-of-till)",
		},
		"pod ended":   {claims: toPod, change: func(f *fixture) { f.pods["till"].DeletionTimestamp = gone }, want: "service account token has been invalidated"},
		"secret gone": {claims: toSecret, change: func(f *fixture) { clear(f.secrets) }, want: "service account token has been invalidated"},
		"secret again": {
			claims: toSecret, change: func(f *fixture) { f.secrets["drawer"].UID = "another" },
			want: "secret UID (another) does not match service account secret ref claim (uid-of-drawer)",
		},
		"secret ended": {claims: toSecret, change: func(f *fixture) { f.secrets["drawer"].DeletionTimestamp = gone }, want: "service account token has been invalidated"},
		"node gone":    {claims: toNode, change: func(f *fixture) { clear(f.nodes) }, want: "service account token has been invalidated"},
		"node again": {
			claims: toNode, change: func(f *fixture) { f.nodes["worker"].UID = "another" },
			want: "node UID (another) does not match service account node ref claim (uid-of-worker)",
		},
		"node ended":     {claims: toNode, change: func(f *fixture) { f.nodes["worker"].DeletionTimestamp = gone }, want: "service account token has been invalidated"},
		"no answer":      {change: func(f *fixture) { f.err = errors.New("etcd is away") }, want: "etcd is away"},
		"key withdrawn":  {change: func(f *fixture) { f.Keys, _ = serviceaccount.NewKeys(testKeys()["other"]) }, want: "invalid signature, no keys found"},
		"issuer dropped": {change: func(f *fixture) { f.Issuers = []string{"https://new.example.com"} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			if tc.change != nil {
				tc.change(f)
			}
			f.clock.SetTime(start().Add(tc.later))
			refused(t, f, issue(t, "", tc.claims), tc.want)
		})
	}
}

// refused checks that a token is not accepted, and why; an empty reason is that it is
// left to others.
func refused(t *testing.T, f *fixture, token, want string) {
	t.Helper()
	response, ok, err := serviceaccount.New(f.Config).AuthenticateToken(t.Context(), token)
	if response != nil || ok {
		t.Errorf("accepted as %v", response)
	}
	if got := text(err); got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestForged has what the server did not issue.
func TestForged(t *testing.T) {
	t.Parallel()
	public, err := x509.MarshalPKIXPublicKey(testKeys()[""].Public())
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	good := issue(t, "", nil)
	parts := strings.Split(good, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	kid := func(algorithm string) string {
		var header map[string]string
		decoded, _ := base64.RawURLEncoding.DecodeString(parts[0])
		if err := json.Unmarshal(decoded, &header); err != nil {
			t.Fatal(err)
		}
		header["alg"] = algorithm
		changed, err := json.Marshal(header)
		if err != nil {
			t.Fatal(err)
		}
		return encode(changed)
	}
	const broken = "go-jose/go-jose: error in cryptographic primitive"
	altered := encode([]byte(strings.Replace(string(claims), "clerk", "owner", 1)))
	for name, tc := range map[string]struct{ token, want string }{
		"empty":                 {"", ""},
		"no token":              {"hello", ""},
		"dots":                  {"..", ""},
		"two parts":             {parts[0] + "." + parts[1], ""},
		"four parts":            {good + ".x", ""},
		"no base64":             {parts[0] + ".%%%." + parts[2], ""},
		"no JSON":               {parts[0] + "." + encode([]byte("{")) + "." + parts[2], ""},
		"not UTF-8":             {parts[0] + "." + encode([]byte("{\"iss\":\"\xff\xfe\"}")) + "." + parts[2], ""},
		"JSON form":             {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, ""},
		"oversized":             {parts[0] + "." + parts[1] + "." + strings.Repeat("A", 1<<20), ""},
		"no signature":          {parts[0] + "." + parts[1] + ".", broken},
		"alg none":              {encode([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", ""},
		"alg none with ID":      {kid("none") + "." + parts[1] + "." + parts[2], ""},
		"key as shared secret":  {kid("HS256") + "." + parts[1] + "." + encode(public), ""},
		"algorithm of another":  {kid("RS256") + "." + parts[1] + "." + parts[2], broken},
		"altered claims":        {parts[0] + "." + altered + "." + parts[2], broken},
		"altered signature":     {parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), broken},
		"another key":           {sign(t, "other", map[string]any{"iss": issuerName}), broken},
		"another kind of key":   {sign(t, "RSA", map[string]any{"iss": issuerName}), broken},
		"another key by its ID": {issue(t, "other", nil), "invalid signature, no keys found"},
		"of somebody else":      {sign(t, "", map[string]any{"iss": "https://example.com"}), ""},
		"no account":            {sign(t, "", map[string]any{"iss": issuerName, "aud": issuerName}), "service account token names no service account"},
		"empty account":         {sign(t, "", map[string]any{"iss": issuerName, "aud": issuerName, "kubernetes.io": map[string]any{}}), `serviceaccounts "" not found`},
		"no audience": {
			sign(t, "", map[string]any{"iss": issuerName, "aud": []string{"vault"}}),
			`token audiences ["vault"] is invalid for the target audiences ["https://kubernetes.default.svc"]`,
		},
		"issued tomorrow": {
			sign(t, "", map[string]any{"iss": issuerName, "iat": start().Add(24 * time.Hour).Unix()}), "service account token is issued in the future",
		},
		"dates out of range": {sign(t, "", map[string]any{"iss": issuerName, "exp": 1e40}), "go-jose/go-jose/jwt: expected number value to unmarshal NumericDate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, newFixture(t), tc.token, tc.want)
		})
	}
}

// TestDuplicated has a name twice, of which one reader takes the first and another the
// last.
func TestDuplicated(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"iss": `{"iss":"https://example.com","iss":"` + issuerName + `"}`,
		"sub": `{"iss":"` + issuerName + `","sub":"a","sub":"b"}`,
	} {
		refused(t, newFixture(t), signText(t, payload), "json: duplicate key '"+name+"' in object")
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	keys, err := serviceaccount.NewKeys(testKeys()[""].Public(), testKeys()["other"], testKeys()["RSA"], testKeys()["P-384"], testKeys()["P-521"], testKeys()["RSA"].Public())
	if err != nil {
		t.Fatal(err)
	}
	f.Keys = keys
	for name := range testKeys() {
		if _, ok, err := serviceaccount.New(f.Config).AuthenticateToken(t.Context(), issue(t, name, nil)); !ok || err != nil {
			t.Errorf("key %q: accepted %t, error %v", name, ok, err)
		}
	}
	// Without an ID every key is tried.
	for _, name := range []string{"", "other", "RSA"} {
		token := sign(t, name, map[string]any{
			"iss": issuerName, "kubernetes.io": map[string]any{"namespace": "shop", "serviceaccount": map[string]any{"name": "clerk", "uid": "uid-of-clerk"}},
		})
		if _, ok, err := serviceaccount.New(f.Config).AuthenticateToken(t.Context(), token); !ok || err != nil {
			t.Errorf("key %q without ID: accepted %t, error %v", name, ok, err)
		}
	}
}

// TestAudiences asks in the name of others, as a TokenReview does.
func TestAudiences(t *testing.T) {
	t.Parallel()
	token := issue(t, "", func(c *kind.TokenClaims) { c.Audiences = []string{"vault", "bank"} })
	for name, tc := range map[string]struct {
		of   []string
		want authenticator.Audiences
		err  string
	}{
		"one":     {[]string{"bank"}, authenticator.Audiences{"bank"}, ""},
		"several": {[]string{"bank", "x", "vault"}, authenticator.Audiences{"bank", "vault"}, ""},
		"none":    {[]string{"x"}, nil, `token audiences ["vault" "bank"] is invalid for the target audiences ["x"]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := authenticator.WithAudiences(t.Context(), tc.of)
			response, ok, err := serviceaccount.New(newFixture(t).Config).AuthenticateToken(ctx, token)
			if ok != (tc.err == "") || text(err) != tc.err {
				t.Fatalf("accepted: %t, error %v", ok, err)
			}
			if ok && cmp.Diff(tc.want, response.Audiences) != "" {
				t.Errorf("audiences %q, want %q", response.Audiences, tc.want)
			}
		})
	}
}

// TestClaims compares a token with what kube-apiserver writes.
func TestClaims(t *testing.T) {
	t.Parallel()
	token := issue(t, "", func(c *kind.TokenClaims) {
		toPod(c)
		c.WarnAfter, c.Seconds = 3607, 31536000
	})
	parts := strings.Split(token, ".")
	var header, claims map[string]any
	for i, to := range []*map[string]any{&header, &claims} {
		decoded, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(decoded, to); err != nil {
			t.Fatal(err)
		}
	}
	if id, _ := claims["jti"].(string); len(id) != len("00000000-0000-0000-0000-000000000000") {
		t.Errorf("jti %q", id)
	}
	delete(claims, "jti")
	if id, _ := header["kid"].(string); len(id) != 43 {
		t.Errorf("kid %q is no SHA-256", id)
	}
	delete(header, "kid")
	if diff := cmp.Diff(map[string]any{"alg": "ES256"}, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	at := float64(start().Unix())
	want := map[string]any{
		"iss": issuerName, "aud": []any{issuerName}, "sub": "system:serviceaccount:shop:clerk",
		"iat": at, "nbf": at, "exp": at + 31536000,
		"kubernetes.io": map[string]any{
			"namespace":      "shop",
			"serviceaccount": map[string]any{"name": "clerk", "uid": "uid-of-clerk"},
			"pod":            map[string]any{"name": "till", "uid": "uid-of-till"},
			"node":           map[string]any{"name": "worker", "uid": "uid-of-worker"},
			"warnafter":      at + 3607,
		},
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func TestTooLargeToIssue(t *testing.T) {
	t.Parallel()
	issuer, err := serviceaccount.NewIssuer(issuerName, testKeys()[""])
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = issuer.Issue(kind.TokenClaims{IssuedAt: start(), Audiences: []string{strings.Repeat("x", 1<<16)}})
	if err == nil || !strings.HasPrefix(err.Error(), "Request entity too large: the token would have ") {
		t.Errorf("error %v", err)
	}
}

func TestBadKeys(t *testing.T) {
	t.Parallel()
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const curve = "an ECDSA key must be on the curve P-256, P-384 or P-521"
	if _, err := serviceaccount.NewKeys(small); text(err) != curve {
		t.Errorf("error %v", err)
	}
	if _, err := serviceaccount.NewIssuer("x", small); text(err) != curve {
		t.Errorf("error %v", err)
	}
	if _, err := serviceaccount.NewKeys([]byte("secret")); text(err) != "a key of type []uint8 is neither RSA nor ECDSA" {
		t.Errorf("error %v", err)
	}
}

// FuzzAuthenticate looks for a token that makes the authenticator panic, or is
// believed to be of somebody else.
func FuzzAuthenticate(f *testing.F) {
	fixture := newFixture(f)
	fixture.secrets["drawer"].Data = map[string][]byte{corev1.ServiceAccountTokenKey: []byte("x")}
	good := issue(f, "", toPod)
	for _, seed := range []string{good, "", "..", good[:len(good)/2], good + "A", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50In0."} {
		f.Add(seed)
	}
	known := serviceaccount.New(fixture.Config)
	f.Fuzz(func(t *testing.T, token string) {
		response, ok, err := known.AuthenticateToken(t.Context(), token)
		if ok && token != good && response.User.GetName() != "system:serviceaccount:shop:clerk" {
			t.Errorf("%q is believed: %v, %v", token, response, err)
		}
	})
}
