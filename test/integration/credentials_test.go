// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/rest"
)

// strangerHTTP1 is somebody without a certificate, who speaks HTTP/1.1.
func strangerHTTP1() *rest.Config {
	config := anonymous()
	config.NextProtos = []string{"http/1.1"}
	return config
}

// TestCredentials shows a token in ways that are right, odd and wrong.
func TestCredentials(t *testing.T) {
	t.Parallel()
	admin, namespace := coreClient(t), newNamespace(t)
	account(t, admin, namespace)
	token := tokenOf(t, admin, namespace, authenticationv1.TokenRequestSpec{}).Status.Token
	clerk := "system:serviceaccount:" + namespace + ":clerk"
	parts := strings.Split(token, ".")
	other := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://other.example","sub":"root"}`))
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	const nobody, refused = "system:anonymous", ""
	for name, tc := range map[string]struct {
		authorization []string
		path          string
		want          string // the user, or nobody, or empty for 401
	}{
		"a token":           {[]string{"Bearer " + token}, "", clerk},
		"lower case":        {[]string{"bearer " + token}, "", clerk},
		"none":              {nil, "", nobody},
		"empty":             {[]string{""}, "", nobody},
		"an empty token":    {[]string{"Bearer "}, "", nobody},
		"the scheme alone":  {[]string{"Bearer"}, "", nobody},
		"another scheme":    {[]string{"Digest " + token}, "", nobody},
		"as a password":     {[]string{"Basic " + base64.StdEncoding.EncodeToString([]byte("clerk:"+token))}, "", nobody},
		"in the URL":        {nil, "?access_token=" + token + "&token=" + token, nobody},
		"twice":             {[]string{"Bearer " + token, "Bearer " + token}, "", refused},
		"and another":       {[]string{"Bearer " + token, "Bearer x"}, "", refused},
		"after another":     {[]string{"Bearer x", "Bearer " + token}, "", refused},
		"in a list":         {[]string{"Bearer " + token + ", Bearer x"}, "", refused},
		"in a list, second": {[]string{"Bearer x, Bearer " + token}, "", refused},
		"not UTF-8":         {[]string{"Bearer " + token + "\xff"}, "", refused},
		"nothing of UTF-8":  {[]string{"Bearer \xff\xfe.\xff.\xff"}, "", refused},
		"cut off":           {[]string{"Bearer " + token[:len(token)-1]}, "", refused},
		"longer":            {[]string{"Bearer " + token + "A"}, "", refused},
		"without signature": {[]string{"Bearer " + parts[0] + "." + parts[1] + "."}, "", refused},
		"alg none":          {[]string{"Bearer " + none + "." + parts[1] + "."}, "", refused},
		"other claims":      {[]string{"Bearer " + parts[0] + "." + other + "." + parts[2]}, "", refused},
		"oversized":         {[]string{"Bearer " + strings.Repeat("a", 300_000)}, "", refused},
		"oversized JSON":    {[]string{"Bearer " + parts[0] + "." + strings.Repeat("e30", 100_000) + "." + parts[2]}, "", refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := rest.HTTPClientFor(strangerHTTP1())
			if err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL()+"/api/v1/nodes"+tc.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header["Authorization"] = tc.authorization
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			var status struct{ Message string }
			if err := json.NewDecoder(response.Body).Decode(&status); err != nil {
				t.Fatal(err)
			}
			want, code := `nodes is forbidden: User "`+tc.want+`" cannot list resource "nodes" in API group "" at the cluster scope`, http.StatusForbidden
			if tc.want == refused {
				want, code = "Unauthorized", http.StatusUnauthorized
			}
			if status.Message != want || response.StatusCode != code {
				t.Errorf("%d %s, want %s", response.StatusCode, status.Message, want)
			}
		})
	}
}

// TestWebSocketTokens shows tokens in a subprotocol, from where browsers can send them.
func TestWebSocketTokens(t *testing.T) {
	t.Parallel()
	admin, namespace := coreClient(t), newNamespace(t)
	account(t, admin, namespace)
	token := tokenOf(t, admin, namespace, authenticationv1.TokenRequestSpec{}).Status.Token
	const prefix, binary = "base64url.bearer.authorization.k8s.io.", ", base64.binary.k8s.io"
	shown := prefix + base64.RawURLEncoding.EncodeToString([]byte(token))
	const clerk, nobody, refused = "clerk", "system:anonymous", ""
	for name, tc := range map[string]struct{ protocols, authorization, as, want string }{
		"a token":                {shown + binary, "", "", clerk},
		"none":                   {"base64.binary.k8s.io", "", "", nobody},
		"empty":                  {prefix + binary, "", "", nobody},
		"alone":                  {shown, "", "", refused}, // the server would have to repeat it
		"twice":                  {shown + ", " + shown + binary, "", "", refused},
		"padded":                 {shown + "==" + binary, "", "", refused},
		"no base64":              {prefix + "!!!" + binary, "", "", refused},
		"not UTF-8":              {prefix + base64.RawURLEncoding.EncodeToString([]byte("\xff\xfe")) + binary, "", "", refused},
		"unknown":                {prefix + base64.RawURLEncoding.EncodeToString([]byte("unknown")) + binary, "", "", refused},
		"with a wrong header":    {shown + binary, "Bearer unknown", "", clerk},
		"in the name of another": {shown + binary, "", "stoa-admin", clerk},
	} {
		for path, verb := range map[string]string{
			"configmaps?watch=1":      `watch resource "configmaps"`,
			"pods/x/exec?command=id":  `get resource "pods/exec"`,
			"pods/x/attach":           `get resource "pods/attach"`,
			"pods/x/portforward":      `get resource "pods/portforward"`,
			"pods/x/proxy/":           `get resource "pods/proxy"`,
			"services/x/proxy/secret": `get resource "services/proxy"`,
		} {
			header := map[string]string{
				"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": tc.protocols,
			}
			if tc.authorization != "" {
				header["Authorization"] = tc.authorization
			}
			if tc.as != "" {
				header["Impersonate-User"] = tc.as
				_, what, _ := strings.Cut(verb, " ")
				verb = "impersonate-on:user-info:" + strings.Fields(verb)[0] + " " + what
			}
			got := do(t, request{path: "/api/v1/namespaces/" + namespace + "/" + path, config: strangerHTTP1(), header: header})
			who := tc.want
			if who == clerk {
				who = "system:serviceaccount:" + namespace + ":clerk"
			}
			code, want := http.StatusForbidden, `User "`+who+`" cannot `+verb
			if who == refused {
				code, want = http.StatusUnauthorized, "Unauthorized"
			}
			if message := got.status(t).Message; got.code != code || !strings.Contains(message, want) {
				t.Errorf("%s: %s: %d %s, want %s", name, path, got.code, message, want)
			}
		}
	}
}

// TestOddPaths asks for what is not allowed by a path that looks like another one.
func TestOddPaths(t *testing.T) {
	t.Parallel()
	user := rest.CopyConfig(api.Config())
	user.Impersonate = rest.ImpersonationConfig{UserName: unique(t)}
	user.NextProtos = []string{"http/1.1"}
	for _, path := range []string{
		"/metrics", "//metrics", "/metrics/", "/%6detrics", "/metrics/slis", "/healthz/../metrics", "/healthz/%2e%2e/metrics", "/version/..%2fmetrics",
		"/livez/../../metrics", "/version;/../metrics", "/openapi/../metrics", "/openapi/v3/../../metrics", "/openapi/v3/%2e%2e/%2e%2e/metrics",
		"/apis/../metrics", "/apis//metrics", "/apis/..%2fmetrics", "/api/../metrics", "/api/%2e%2e/metrics", "/api/v1/../../metrics",
		"/debug/pprof/", "/debug/pprof/heap", "/debug//pprof/heap", "/apis/../debug/pprof/heap", "/debug/flags/v", "/debug/api_priority_and_fairness/dump_requests",
		"/logs", "/logs/", "/openapi/logs", "/apis/logs/../../logs/", "/configz", "/statusz", "/flagz", "/healthz/etcd", "/readyz/etcd", "/",
		"/api/v1/secrets", "/api/v1/secrets/", "//api/v1/secrets", "/api//v1/secrets", "/%61pi/v1/%73ecrets", "/api/v1%2fsecrets", "/api/v1/secrets%00", "/api/v1/Secrets",
		"/version/../api/v1/secrets", "/version%2f..%2fapi/v1/secrets", "/openapi/../api/v1/secrets", "/apis/../api/v1/secrets", "/api/v1/../v1/secrets", "/api/v1/namespaces/default/pods/../secrets",
		"/api/v1/namespaces/default/configmaps/../secrets/x", "/api/v1/namespaces/default%2fsecrets", "/api/v1/namespaces/../secrets", "/api/v1/watch/secrets", "/api/v1/watch/namespaces/default/secrets/x",
		"/api/v1/secrets?watch=1", "/api/v1/secrets?fieldSelector=metadata.name%3Dx", "/api/v1/secrets?limit=1&watch=true", "/api/v1/proxy/nodes/x/metrics", "/api/v1/nodes/x/proxy/../../secrets",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, "FOO", "get"} {
			for name, config := range map[string]*rest.Config{"anonymous": strangerHTTP1(), "a user": user} {
				got := do(t, request{method: method, path: path, config: config})
				if name == "anonymous" && got.code != http.StatusForbidden || got.code != http.StatusForbidden && got.code != http.StatusNotFound {
					t.Errorf("%s, %s %s: %d %.200s", name, method, path, got.code, got.body)
				}
			}
		}
	}
}
