// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/stoatest"
)

// policyHeader begins an audit policy. Tests that look at all events leave out what the
// server asks itself.
const policyHeader = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

// audited starts a server with a policy, and returns it and its log.
func audited(t *testing.T, policy string, flags ...string) (server *stoatest.Server, log string) {
	t.Helper()
	log = filepath.Join(t.TempDir(), "audit", "audit.log")
	policy = secretFile(t, "policy.yaml", policyHeader+policy)
	return stoatest.Start(t, stoatest.WithFlags(append(flags, "--audit-policy-file="+policy, "--audit-log-path="+log)...)), log
}

// auditEvents are those of a file.
func auditEvents(t *testing.T, path string) []auditv1.Event {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []auditv1.Event
	for line := range strings.Lines(string(data)) {
		var event auditv1.Event
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Kind != "Event" || event.APIVersion != "audit.k8s.io/v1" {
			t.Fatalf("no event: %q (%v)", line, err)
		}
		out = append(out, event)
	}
	return out
}

// TestAuditLevels has rules of each level, and looks at what they record.
func TestAuditLevels(t *testing.T) {
	t.Parallel()
	server, log := audited(t, `
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- {level: None, users: [system:apiserver]}
- {level: None, resources: [{resources: [configmaps]}], namespaces: [none]}
- {level: Metadata, resources: [{resources: [configmaps]}], namespaces: [metadata]}
- {level: Request, resources: [{resources: [configmaps]}], namespaces: [request]}
- {level: RequestResponse, resources: [{resources: [configmaps]}], namespaces: [response]}
- {level: RequestResponse, resources: [{resources: [configmaps]}], namespaces: [managed], omitManagedFields: false}
- {level: RequestResponse, resources: [{resources: [configmaps]}], namespaces: [stages], omitStages: [ResponseComplete]}
- {level: Metadata, nonResourceURLs: [/version]}
`)
	client := clientFor(t, server.Config())
	for _, namespace := range []string{"none", "metadata", "request", "response", "managed", "stages", "other"} {
		object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		if _, err := client.CoreV1().Namespaces().Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(), newConfigMap("a", "content"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/version", "/healthz", "/livez"} {
		do(t, request{path: path, config: server.Config()})
	}
	server.Stop()
	type record struct {
		level             auditv1.Level
		stage             auditv1.Stage
		what              string
		code              int32
		request, response string
	}
	content := func(object map[string]any) string {
		if object == nil {
			return ""
		}
		data, _ := object["data"].(map[string]any)
		_, managed := object["metadata"].(map[string]any)["managedFields"]
		return fmt.Sprintf("%v, managed fields %t", data["value"], managed)
	}
	var got []record
	for _, event := range auditEvents(t, log) {
		var sent, answered map[string]any
		if event.RequestObject != nil {
			sent = unmarshal(t, event.RequestObject.Raw)
		}
		if event.ResponseObject != nil {
			answered = unmarshal(t, event.ResponseObject.Raw)
		}
		what := event.RequestURI
		if ref := event.ObjectRef; ref != nil {
			what = event.Verb + " " + ref.Namespace + "/" + ref.Name
		}
		got = append(got, record{event.Level, event.Stage, what, event.ResponseStatus.Code, content(sent), content(answered)})
		if decision := event.Annotations["authorization.k8s.io/decision"]; decision != "allow" {
			t.Errorf("%s: decision %q", what, decision)
		}
		if event.User.Username != "stoa-admin" || len(event.SourceIPs) == 0 || event.AuditID == "" {
			t.Errorf("%s: user %q from %q, ID %q", what, event.User.Username, event.SourceIPs, event.AuditID)
		}
	}
	const complete = auditv1.StageResponseComplete
	want := []record{
		{auditv1.LevelMetadata, complete, "/version", 200, "", ""},
		{auditv1.LevelRequestResponse, complete, "create managed/a", 201, "content, managed fields false", "content, managed fields true"},
		{auditv1.LevelMetadata, complete, "create metadata/a", 201, "", ""},
		{auditv1.LevelRequest, complete, "create request/a", 201, "content, managed fields false", ""},
		{auditv1.LevelRequestResponse, complete, "create response/a", 201, "content, managed fields false", "content, managed fields false"},
	}
	slices.SortFunc(got, func(a, b record) int { return strings.Compare(a.what, b.what) })
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(record{})); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(log); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log is %v (%v)", info, err)
	}
}

func unmarshal(t *testing.T, data []byte) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAuditSecrets looks for secrets in a log that has the whole of most requests.
func TestAuditSecrets(t *testing.T) {
	t.Parallel()
	const users = "users.csv"
	passwords := secretFile(t, users, passwordLine(t, "wonderland", "alice,1"))
	policy, err := os.ReadFile("../../examples/audit/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	server, log := audited(t, strings.TrimPrefix(string(policy), policyHeader), "--basic-auth-file="+passwords)
	client := clientFor(t, server.Config())
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, StringData: map[string]string{"key": "looking-glass"}}
	if _, err := client.CoreV1().Secrets("default").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	account(t, client, "default")
	token := tokenOf(t, client, "default", authenticationv1.TokenRequestSpec{}).Status.Token
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	if _, err := client.AuthenticationV1().TokenReviews().Create(t.Context(), review, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := whoami(t.Context(), clientFor(t, bearer(server.Config(), token))); err != nil {
		t.Fatal(err)
	}
	if _, err := whois(t, stranger(server, withPassword("alice", "wonderland"))); err != nil {
		t.Fatal(err)
	}
	if _, err := whois(t, stranger(server, withPassword("alice", "jabberwock"))); err == nil {
		t.Error("a wrong password is right")
	}
	server.Stop()
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{
		"looking-glass", "bG9va2luZy1nbGFzcw", token, token[strings.LastIndex(token, "."):], "wonderland", "jabberwock", "argon2id",
		"YWxpY2U6", // the beginning of the header
	} {
		if strings.Contains(string(data), hidden) {
			t.Errorf("%s is in the log", hidden)
		}
	}
	for _, there := range []string{`"resource":"secrets"`, `"subresource":"token"`, `"resource":"tokenreviews"`, `"code":401`,
		`"authentication.kubernetes.io/credential-id"`} {
		if !strings.Contains(string(data), there) {
			t.Errorf("%s is not in the log", there)
		}
	}
}

// TestAuditUsers records who is refused, who acts for whom, and who watches.
func TestAuditUsers(t *testing.T) {
	t.Parallel()
	server, log := audited(t, `
rules:
- {level: None, users: [system:apiserver]}
- {level: Metadata, resources: [{resources: [configmaps]}]}
`)
	if _, err := impersonate(t, server, "bob", "dev").CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{}); err == nil {
		t.Error("bob may list")
	}
	do(t, request{path: "/api/v1/configmaps", config: stranger(server, func(c *rest.Config) { c.BearerToken = "nonsense" })})
	do(t, request{path: "/api/v1/configmaps?watch=1&timeoutSeconds=1", config: server.Config()})
	server.Stop()
	var got []string
	for _, event := range auditEvents(t, log) {
		who := event.User.Username
		if event.ImpersonatedUser != nil {
			who += " as " + event.ImpersonatedUser.Username + " of " + strings.Join(event.ImpersonatedUser.Groups, ",")
		}
		var code int32
		message := ""
		if event.ResponseStatus != nil {
			code, message = event.ResponseStatus.Code, event.ResponseStatus.Message
		}
		got = append(got, fmt.Sprintf("%s: %q %s %d %q, decision %q, reason %q", event.Stage, who, event.Verb, code, message,
			event.Annotations["authorization.k8s.io/decision"], event.Annotations["authorization.k8s.io/reason"]))
	}
	const refused = `configmaps is forbidden: User \"bob\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\"`
	want := []string{
		`RequestReceived: "stoa-admin" list 0 "", decision "", reason ""`,
		`ResponseComplete: "stoa-admin as bob of dev,system:authenticated" list 403 "` + refused + `", decision "forbid", reason ""`,
		`ResponseStarted: "" list 401 "Unauthorized", decision "", reason ""`,
		`RequestReceived: "stoa-admin" watch 0 "", decision "", reason ""`,
		`ResponseStarted: "stoa-admin" watch 200 "", decision "allow", reason ""`,
		`ResponseComplete: "stoa-admin" watch 200 "", decision "allow", reason ""`,
	}
	// An event may come after the answer, and so after those of the next request.
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

var metricLine = regexp.MustCompile(`(?m)^(\w+(?:\{[^}]*\})?) (\S+)$`)

// metric is the value of a metric, which servers of a process share. It is 0 for one that is not there.
func metric(t *testing.T, server *stoatest.Server, name string) float64 {
	t.Helper()
	for _, match := range metricLine.FindAllStringSubmatch(string(do(t, request{path: "/metrics", config: server.Config()}).body), -1) {
		if match[1] == name {
			var value float64
			if _, err := fmt.Sscan(match[2], &value); err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	return 0
}

// TestAuditPolicyReload changes the policy under the server.
func TestAuditPolicyReload(t *testing.T) {
	t.Parallel()
	policy := secretFile(t, "policy.yaml", policyHeader+"rules:\n- {level: Metadata, resources: [{resources: [configmaps], resourceNames: [one]}]}\n")
	log := filepath.Join(t.TempDir(), "audit.log")
	server := stoatest.Start(t, stoatest.WithFlags("--audit-policy-file="+policy, "--audit-log-path="+log))
	// records asks until a name is recorded, or whether it is.
	records := func(name string) bool {
		for range 2 { // what is recorded of a request may come after its answer, but not after that of the next but one
			do(t, request{path: "/api/v1/namespaces/default/configmaps/" + name, config: server.Config()})
		}
		for _, event := range auditEvents(t, log) {
			if event.ObjectRef.Name == name {
				return true
			}
		}
		return false
	}
	change := func(content string) {
		t.Helper()
		if err := os.WriteFile(policy, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !records("one") || records("two") {
		t.Error("the first policy does not hold")
	}
	failures := metric(t, server, `stoa_audit_policy_reloads_total{status="failure"}`)
	change(policyHeader + "rules:\n- {level: Everything}\n")
	eventually(t, func() string {
		if metric(t, server, `stoa_audit_policy_reloads_total{status="failure"}`) != failures+1 {
			return "a broken policy is not counted"
		}
		return ""
	})
	if records("two") {
		t.Error("a broken policy is used")
	}
	change(policyHeader + "rules:\n- {level: Metadata, resources: [{resources: [configmaps], resourceNames: [two, three]}]}\n")
	eventually(t, func() string {
		if !records("two") {
			return "the new policy is not used"
		}
		return ""
	})
}
