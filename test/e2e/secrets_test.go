// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The secrets of TestNoSecretInOutput. None is part of another one or of what a server
// says by itself.
const (
	secretPassword  = "pw-Zebra-Quartz-71"
	wrongPassword   = "pw-Wrong-Walnut-72"
	secretToken     = "tk-Yonder-Velvet-73"
	wrongToken      = "tk-Wrong-Thistle-74"
	bootstrapSecret = "q7w6e5r4t3y2u1i0"
	wrongBootstrap  = "z9x8c7v6b5n4m3a2"
	secretValue     = "sv-Xylophone-Umber-75"
	secondValue     = "sv-Jackdaw-Onyx-76"
	invalidValue    = "sv-Invalid-Kelp-77"
	encryptionKey   = "ek-Marigold-78-and-to-32-bytes-!"
)

const auditLog = "audit.log"

// secretsUsed makes the files of a server with every method of authentication, with
// encryption and with audit, and returns its flags.
func secretsUsed(t *testing.T, dir string) []string {
	t.Helper()
	hashed := run(t, nil, secretPassword, "stoa", "hash-password", "--user=alice", "--uid=1")
	flags := []string{"-v=10", "--enable-bootstrap-token-auth", "--encryption-provider-config-automatic-reload", "--audit-log-path=" + filepath.Join(dir, auditLog)}
	for flag, content := range map[string]string{
		"basic-auth-file":            hashed.stdout,
		"token-auth-file":            secretToken + ",bob,2\n",
		"audit-policy-file":          "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n",
		"encryption-provider-config": "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources: [{resources: [secrets], providers: [{secretbox: {keys: [{name: k, secret: " + base64.StdEncoding.EncodeToString([]byte(encryptionKey)) + "}]}}]}]\n",
	} {
		path := filepath.Join(dir, flag)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, "--"+flag+"="+path)
	}
	return flags
}

// searcher looks for secrets in what anybody may read.
type searcher struct {
	// secrets are what must not be found, in each form that it has, by name.
	secrets map[string][]string
	places  map[string]int // how much was looked at
}

func (s *searcher) add(name, secret string) {
	inBase64 := base64.StdEncoding.EncodeToString([]byte(secret))
	s.secrets[name] = []string{secret, strings.TrimRight(inBase64, "="), base64.RawURLEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret))}
}

func (s *searcher) look(t *testing.T, place, text string) {
	t.Helper()
	s.places[place] += len(text)
	// A dump shows 16 bytes a line.
	var dumped strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if begin, end := strings.Index(line, "|"), strings.LastIndex(line, "|"); end > begin && end-begin <= 17 {
			dumped.WriteString(line[begin+1 : end])
		}
	}
	for name, forms := range s.secrets {
		for _, form := range forms {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("%s has the %s: %.300q", place, name, text[max(0, at-150):])
				break
			}
			if strings.Contains(dumped.String(), form) {
				t.Errorf("%s has the %s in a dump", place, name)
				break
			}
		}
	}
}

// TestNoSecretInOutput uses every kind of secret, and looks for each in logs, metrics,
// answers with errors, and pages about the state of the server.
func TestNoSecretInOutput(t *testing.T) {
	t.Parallel()
	integration(t)
	files := t.TempDir()
	flags := secretsUsed(t, files)
	s := start(t, folder(t), flags...)
	look := &searcher{secrets: map[string][]string{}, places: map[string]int{}}
	for name, secret := range map[string]string{
		"password": secretPassword, "wrong password": wrongPassword, "token": secretToken, "wrong token": wrongToken,
		"bootstrap token": bootstrapSecret, "wrong bootstrap token": wrongBootstrap, "value": secretValue, "second value": secondValue,
		"invalid value": invalidValue, "encryption key": encryptionKey,
	} {
		look.add(name, secret)
	}
	client := &secretClient{config: s.config(t), server: s, look: look}
	created := run(t, nil, "", "stoa", "token", "create", "abcdef."+bootstrapSecret, "--kubeconfig="+s.kubeconfig)
	if created.code != 0 {
		t.Fatal(created.stderr)
	}
	asked := client.review(t)
	client.logIn(t)
	client.write(t)
	if asked.Load() < 5 {
		t.Errorf("the webhook was asked %d times", asked.Load())
	}
	client.accounts(t)
	for _, path := range []string{"/metrics", "/metrics/slis", "/healthz?verbose", "/livez?verbose", "/readyz?verbose", "/version", "/statusz", "/flagz", "/configz",
		"/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2", "/debug/api_priority_and_fairness/dump_requests", "/debug/api_priority_and_fairness/dump_queues"} {
		code, body := client.send(t, call{path: path})
		if code != 200 && code != 404 {
			t.Errorf("%s: %d", path, code)
		}
		look.look(t, path, body)
	}
	s.stop(t)
	look.look(t, "stdout", s.stdout.String())
	look.look(t, "stderr", s.stderr.String())
	again := startOn(t, s.dir, s.port, flags...) // which reads what is stored
	if !again.ready(t) {
		t.Fatal(again.stderr.String())
	}
	again.stop(t)
	look.look(t, "stderr", again.stderr.String())
	look.look(t, auditLog, string(readFile(t, filepath.Join(files, auditLog), nil)))
	if look.places[auditLog] < 1<<14 {
		t.Errorf("%s has %d bytes only", auditLog, look.places[auditLog])
	}
	if look.places["stderr"] < 1<<18 {
		t.Errorf("the log has %d bytes only", look.places["stderr"])
	}
	wantPrivate(t, s.dir)
}

// secretClient sends requests and looks into answers that are errors.
type secretClient struct {
	config *rest.Config
	server *server
	look   *searcher
}

// call is a request. As nobody: with the header alone.
type call struct {
	method, path, body, kind string
	header                   map[string]string
	nobody                   bool
}

func (c *secretClient) send(t *testing.T, r call) (int, string) {
	t.Helper()
	config := c.config
	if r.nobody {
		config = rest.AnonymousClientConfig(config)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	if r.method == "" {
		r.method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(t.Context(), r.method, c.server.url()+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.kind == "" {
		r.kind = "application/json"
	}
	request.Header.Set("Content-Type", r.kind)
	for name, value := range r.header {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode >= 400 {
		c.look.look(t, "an error", string(body)+fmt.Sprint(response.Header))
	}
	return response.StatusCode, string(body)
}

// want sends a request and wants a code.
func (c *secretClient) want(t *testing.T, code int, r call) string {
	t.Helper()
	got, body := c.send(t, r)
	if got != code {
		t.Errorf("%s %s %s: %d %s, want %d", r.method, r.path, r.body, got, body, code)
	}
	return body
}

// logIn shows right and wrong credentials of each kind.
func (c *secretClient) logIn(t *testing.T) {
	t.Helper()
	basic := func(secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+secret))
	}
	for authorization, code := range map[string]int{
		basic(secretPassword): 201, basic(wrongPassword): 401, "Basic " + wrongPassword: 401, wrongPassword: 403,
		"Bearer " + secretToken: 201, "Bearer " + wrongToken: 401, "Bearer " + secretToken + wrongToken: 401,
		"Bearer abcdef." + bootstrapSecret: 201, "Bearer abcdef." + wrongBootstrap: 401,
	} {
		c.want(t, code, call{
			method: "POST", path: "/apis/authentication.k8s.io/v1/selfsubjectreviews", nobody: true, header: map[string]string{"Authorization": authorization},
			body: `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`,
		})
	}
	protocol := "base64url.bearer.authorization.k8s.io."
	for token, code := range map[string]int{wrongToken: 401, secretToken: 403} {
		c.want(t, code, call{path: "/api/v1/namespaces/default/pods?watch=1", nobody: true, header: map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
			"Sec-WebSocket-Protocol": protocol + base64.RawURLEncoding.EncodeToString([]byte(token)) + ", x",
		}})
	}
	for token, known := range map[string]bool{secretToken: true, wrongToken: false, "abcdef." + bootstrapSecret: true} {
		body := c.want(t, 201, call{
			method: "POST", path: "/apis/authentication.k8s.io/v1/tokenreviews",
			body: `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"` + token + `"}}`,
		})
		if strings.Contains(body, `"authenticated":true`) != known {
			t.Errorf("review of a token: %s", body)
		}
	}
}

// review has a webhook see every Secret that is written, and counts how often.
func (c *secretClient) review(t *testing.T) *atomic.Int32 {
	t.Helper()
	asked := &atomic.Int32{}
	webhook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review struct{ Request struct{ UID string } }
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":%q,"allowed":true}}`, review.Request.UID)
	}))
	t.Cleanup(webhook.Close)
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: webhook.Certificate().Raw}))
	c.want(t, 201, call{
		method: "POST", path: "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
		body: `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"w"},"webhooks":[{"name":"w.example.com",
			"admissionReviewVersions":["v1"],"sideEffects":"None","failurePolicy":"Ignore","clientConfig":{"url":"` + webhook.URL + `","caBundle":"` + ca + `"},
			"rules":[{"apiGroups":[""],"apiVersions":["v1"],"resources":["secrets"],"operations":["*"]}]}]}`,
	})
	probe := call{method: "POST", path: "/api/v1/namespaces/default/secrets?dryRun=All", body: `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"probe"}}`}
	eventually(t, "the webhook is asked", func() error {
		c.want(t, 201, probe)
		if asked.Load() == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	return asked
}

// write creates, reads, changes and misshapes Secrets.
func (c *secretClient) write(t *testing.T) {
	t.Helper()
	const secrets = "/api/v1/namespaces/default/secrets"
	secret := func(rest string) string {
		return `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},` + rest + `}`
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(invalidValue))
	c.want(t, 201, call{method: "POST", path: secrets, body: secret(`"stringData":{"a":"` + secretValue + `"}`)})
	for _, accept := range []string{"application/json", "application/vnd.kubernetes.protobuf", "application/json;as=Table;v=v1;g=meta.k8s.io", "application/yaml"} {
		c.want(t, 200, call{path: secrets, header: map[string]string{"Accept": accept}})
	}
	c.want(t, 200, call{method: "PATCH", path: secrets + "/s", kind: "application/merge-patch+json", body: `{"stringData":{"b":"` + secondValue + `"}}`})
	for _, r := range []struct {
		code                     int
		method, path, kind, body string
	}{
		{409, "POST", secrets, "", secret(`"stringData":{"a":"` + invalidValue + `"}`)},
		{422, "POST", secrets, "", strings.Replace(secret(`"stringData":{"a b":"`+invalidValue+`"}`), `"s"`, `"x"`, 1)},
		{400, "POST", secrets, "", secret(`"data":{"a":"` + invalidValue + `"}`)},
		{400, "POST", secrets, "", secret(`"data":{"a":{"b":"` + encoded + `"}}`)},
		{400, "POST", secrets, "", secret(`"data":"` + encoded + `"`)},
		{400, "POST", secrets, "", secret(`"data":{"a":"` + encoded + `"`)},
		{400, "POST", secrets, "", secret(`"data":{"a":"` + encoded + `"},`)},
		{400, "POST", secrets, "application/yaml", "apiVersion: v1\nkind: Secret\ndata: [" + encoded},
		{400, "POST", secrets, "application/vnd.kubernetes.protobuf", "k8s\x00" + strings.Repeat("x", 30) + invalidValue},
		{400, "POST", secrets + "?fieldValidation=Strict", "", secret(`"dota":{"a":"` + encoded + `"}`)},
		{422, "POST", secrets, "", strings.Replace(secret(`"type":"kubernetes.io/dockerconfigjson","stringData":{".dockerconfigjson":"`+invalidValue+`"}`), `"s"`, `"x"`, 1)},
		{422, "POST", secrets, "", strings.Replace(secret(`"type":"kubernetes.io/ssh-auth","stringData":{"a":"`+invalidValue+`"}`), `"s"`, `"x"`, 1)},
		{422, "PATCH", secrets + "/s", "application/json-patch+json", `[{"op":"test","path":"/data/a","value":"` + encoded + `"}]`},
		{400, "PATCH", secrets + "/s", "application/json-patch+json", `[{"op":"` + encoded + `"]`},
		{422, "PATCH", secrets + "/s", "application/merge-patch+json", `{"data":{"a":"` + invalidValue + `"}}`},
		{422, "PATCH", secrets + "/s", "application/strategic-merge-patch+json", `{"data":{"a":"` + invalidValue + `"}}`},
		{409, "PATCH", secrets + "/s?fieldManager=m", "application/apply-patch+yaml", "apiVersion: v1\nkind: Secret\ndata: {a: '" + invalidValue + "'}"},
		{422, "PUT", secrets + "/s", "", strings.Replace(secret(`"stringData":{"a":"`+invalidValue+`"},"type":"other"`), `"name"`, `"namespace":"default","name"`, 1)},
		{404, "PUT", secrets + "/none", "", strings.Replace(secret(`"stringData":{"a":"`+invalidValue+`"}`), `"s"`, `"none","uid":"u"`, 1)},
	} {
		c.want(t, r.code, call{method: r.method, path: r.path, kind: r.kind, body: r.body})
	}
	c.want(t, 200, call{method: "DELETE", path: secrets + "/s"})
}

// accounts uses tokens of service accounts and a client certificate, whose secrets are
// known only now.
func (c *secretClient) accounts(t *testing.T) {
	t.Helper()
	body := c.want(t, 201, call{
		method: "POST", path: "/api/v1/namespaces/default/serviceaccounts/default/token", body: `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`,
	})
	var issued struct{ Status struct{ Token string } }
	if err := json.Unmarshal([]byte(body), &issued); err != nil || issued.Status.Token == "" {
		t.Fatalf("%v: %s", err, body)
	}
	token := issued.Status.Token
	signature := token[strings.LastIndex(token, ".")+1:]
	c.look.secrets["signature of a token"] = []string{signature}
	c.want(t, 403, call{path: "/api/v1/pods", nobody: true, header: map[string]string{"Authorization": "Bearer " + token}})
	c.want(t, 401, call{path: "/api/v1/pods", nobody: true, header: map[string]string{"Authorization": "Bearer x" + token}})

	made := run(t, nil, "", "stoa", "kubeconfig", "--data-dir="+c.server.dir, "--user=carol")
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(made.stdout))
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{"key of a client": config.KeyData, "key of the administrator": readFile(t, c.server.kubeconfig, c.config.KeyData),
		"key of the CA": readFile(t, filepath.Join(c.server.dir, "pki", "stoa-ca.key"), nil), "key of tokens": readFile(t, filepath.Join(c.server.dir, "pki", "sa.key"), nil)} {
		block, _ := pem.Decode(key)
		if block == nil {
			t.Fatalf("the %s is none", name)
		}
		lines := bytes.Split(bytes.TrimSpace(key), []byte("\n"))
		c.look.secrets[name] = []string{string(lines[1]), base64.StdEncoding.EncodeToString(block.Bytes)}
	}
	as := &secretClient{config: config, server: c.server, look: c.look}
	as.want(t, 403, call{path: "/api/v1/pods"})
}

// readFile returns what is given, or else what is in a file.
func readFile(t *testing.T, path string, given []byte) []byte {
	t.Helper()
	if given != nil {
		return given
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wantPrivate wants nothing in a folder to be readable by others.
func wantPrivate(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		files++
		public := strings.HasSuffix(path, ".crt") || strings.HasSuffix(path, ".pub")
		if mode := info.Mode().Perm(); mode&0o077 != 0 && !public {
			t.Errorf("%s has mode %v", path, mode)
		}
		return nil
	})
	if err != nil || files < 10 {
		t.Errorf("%d files: %v", files, err)
	}
}
