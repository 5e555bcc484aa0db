// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package abac_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/authz/abac"
)

const head = `{"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy", "spec": `

func load(tb testing.TB, text string) (*abac.Authorizer, error) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "policy")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return abac.NewFromFile(path)
}

func resource(who, verb, group, resource, namespace string) authorizer.AttributesRecord {
	return authorizer.AttributesRecord{User: person(who), Verb: verb, APIGroup: group, Resource: resource, Namespace: namespace, ResourceRequest: true}
}

func path(who, verb, at string) authorizer.AttributesRecord {
	return authorizer.AttributesRecord{User: person(who), Verb: verb, Path: at}
}

// person is a user with his groups: "ann/staff,ops".
func person(who string) user.Info {
	name, groups, _ := strings.Cut(who, "/")
	out := &user.DefaultInfo{Name: name}
	if name != "system:anonymous" {
		out.Groups = []string{user.AllAuthenticated}
	}
	if groups != "" {
		out.Groups = append(out.Groups, strings.Split(groups, ",")...)
	}
	return out
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	a, err := load(t, `# who may do what
`+head+`{"user": "ann", "namespace": "blue", "resource": "pods", "apiGroup": ""}}

  `+head+`{"group": "staff", "readonly": true, "namespace": "*", "resource": "*", "apiGroup": "apps"}}
`+head+`{"user": "eve", "group": "ops", "nonResourcePath": "/logs*"}}
`+head+`{"user": "*", "nonResourcePath": "/version"}}
`+head+`{"namespace": "*", "resource": "*", "apiGroup": "*"}}
{"user": "old", "resource": "events", "readonly": true}
{"user": "older"}
{"namespace": "public"}
`)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		request authorizer.AttributesRecord
		allowed bool
	}{
		"a user":                      {resource("ann", "delete", "", "pods", "blue"), true},
		"another user":                {resource("bob", "get", "", "pods", "blue"), false},
		"another namespace":           {resource("ann", "get", "", "pods", "green"), false},
		"no namespace":                {resource("ann", "list", "", "pods", ""), false},
		"another resource":            {resource("ann", "get", "", "secrets", "blue"), false},
		"another API group":           {resource("ann", "get", "metrics.k8s.io", "pods", "blue"), false},
		"a group that reads":          {resource("bob/staff", "watch", "apps", "deployments", "green"), true},
		"a group that writes":         {resource("bob/staff", "update", "apps", "deployments", "green"), false},
		"a path":                      {path("eve/ops", "post", "/logs/today"), true},
		"a path without the group":    {path("eve", "get", "/logs/today"), false},
		"a path without the user":     {path("bob/ops", "get", "/logs/today"), false},
		"another path":                {path("eve/ops", "get", "/log"), false},
		"everybody who is known":      {path("bob", "get", "/version"), true},
		"nobody":                      {path("system:anonymous", "get", "/version"), false},
		"who is for nobody":           {resource("bob", "get", "", "secrets", "blue"), false},
		"without version":             {resource("old", "list", "events.k8s.io", "events", "blue"), true},
		"without version, writing":    {resource("old", "create", "events.k8s.io", "events", "blue"), false},
		"without version, a path":     {path("old", "get", "/metrics"), false},
		"without version, everything": {resource("older", "delete", "apps", "deployments", "blue"), true},
		"without version, all paths":  {path("older", "get", "/metrics"), true},
		"without user and group":      {resource("bob", "delete", "", "pods", "public"), true},
		"anonymous, without user":     {resource("system:anonymous", "get", "", "pods", "public"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decision, reason, err := a.Authorize(t.Context(), test.request)
			want, because := authorizer.DecisionAllow, ""
			if !test.allowed {
				want, because = authorizer.DecisionNoOpinion, "No policy matched."
			}
			if decision != want || reason != because || err != nil {
				t.Errorf("got %v, %q, %v", decision, reason, err)
			}
		})
	}
	resources, paths, incomplete, err := a.RulesFor(t.Context(), person("ann/staff"), "blue")
	if incomplete || err != nil || len(paths) != 0 {
		t.Errorf("got %v, %v, %v", paths, incomplete, err)
	}
	if diff := cmp.Diff([]authorizer.ResourceRuleInfo{
		&authorizer.DefaultResourceRuleInfo{Verbs: []string{"*"}, APIGroups: []string{""}, Resources: []string{"pods"}},
		&authorizer.DefaultResourceRuleInfo{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{"apps"}, Resources: []string{"*"}},
	}, resources); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	if _, err := abac.NewFromFile("/nonexistent"); err == nil || err.Error() != "open /nonexistent: no such file or directory" {
		t.Errorf("got %v", err)
	}
	good := head + `{"user": "ann"}}` + "\n"
	for name, test := range map[string]struct{ text, want string }{
		"no JSON":         {good + "ann: all", "line 2: ann: all: invalid character"},
		"unknown field":   {"{\"user\": \"ann\", \"readOnyl\": true}", `line 1: {"user": "ann", "readOnyl": true}: json: unknown field "readOnyl"`},
		"unknown in spec": {"# one\n" + head + `{"resources": "pods"}}`, `line 2: ` + head + `{"resources": "pods"}}: json: unknown field "resources"`},
		"wrong type":      {head + `{"readonly": "yes"}}`, "cannot unmarshal string"},
		"another kind":    {`{"apiVersion": "v1", "kind": "Pod"}`, "apiVersion and kind must be abac.authorization.kubernetes.io/v1beta1 and Policy"},
		"two objects":     {`{"user": "a"} {"user": "b"}`, "line 1: "},
		"a long line":     {good + "{" + strings.Repeat(" ", 1<<20) + "}", "line 2: bufio.Scanner: token too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := load(t, test.text); err == nil || !strings.HasPrefix(err.Error(), "error reading policy file ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// FuzzNewFromFile wants no panic, and nobody allowed by a file that only names others.
func FuzzNewFromFile(f *testing.F) {
	for _, seed := range []string{head + `{"user": "ann", "namespace": "*"}}`, `{"user": "bob"}`, "# none", "", "{}", `{"group": "*"}`} {
		f.Add(seed)
	}
	nobody := path("", "get", "/version")
	nobody.User = &user.DefaultInfo{}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := load(t, text)
		if err != nil {
			return
		}
		if decision, _, _ := a.Authorize(t.Context(), nobody); decision == authorizer.DecisionAllow {
			t.Errorf("somebody without a name and groups is allowed by %q", text)
		}
	})
}
