// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/stoatest"
)

// TestImpersonationRights needs a right for each of what a request says of its user.
func TestImpersonationRights(t *testing.T) {
	t.Parallel()
	path := secretFile(t, "tokens.csv", "s3cr3t,jim,\n")
	server := stoatest.Start(t, stoatest.WithFlags("--token-auth-file="+path))
	admin := clientFor(t, server.Config())
	as := rest.ImpersonationConfig{UserName: "bob", UID: "uid-bob", Groups: []string{"dev"}, Extra: map[string][]string{"example.com/team": {"blue"}}}
	jim := func(as rest.ImpersonationConfig) error {
		_, err := whois(t, stranger(server, func(c *rest.Config) { c.BearerToken, c.Impersonate = "s3cr3t", as }))
		return err
	}
	review := ` "selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope`
	if got, want := text(jim(as)), `selfsubjectreviews.authentication.k8s.io is forbidden: User "jim" cannot impersonate-on:user-info:create resource`+review; got != want {
		t.Errorf("without rights: %s, want %s", got, want)
	}
	rules := []rbacv1.PolicyRule{
		{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{"bob"}},
		{Verbs: []string{"impersonate"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"uids"}, ResourceNames: []string{"uid-bob"}},
		{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"groups"}, ResourceNames: []string{"dev"}},
		{Verbs: []string{"impersonate"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"userextras/example.com/team"}, ResourceNames: []string{"blue"}},
	}
	grant(t, admin, "jim", rules)
	eventually(t, func() string { return text(jim(as)) })
	got, err := whoami(t.Context(), clientFor(t, stranger(server, func(c *rest.Config) { c.BearerToken, c.Impersonate = "s3cr3t", as })))
	want := authenticationv1.UserInfo{
		Username: "bob", UID: "uid-bob", Groups: []string{"dev", "system:authenticated"}, Extra: map[string]authenticationv1.ExtraValue{"example.com/team": {"blue"}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, user (-want +got):\n%s", err, diff)
	}
	for name, change := range map[string]func(*rest.ImpersonationConfig){
		"another user":  func(as *rest.ImpersonationConfig) { as.UserName = "root" },
		"another UID":   func(as *rest.ImpersonationConfig) { as.UID = "0" },
		"another group": func(as *rest.ImpersonationConfig) { as.Groups = []string{"dev", "system:masters"} },
		"another value": func(as *rest.ImpersonationConfig) {
			as.Extra = map[string][]string{"example.com/team": {"blue", "red"}}
		},
		"another key": func(as *rest.ImpersonationConfig) { as.Extra = map[string][]string{"example.com/other": {"blue"}} },
	} {
		other := as
		change(&other)
		if err := jim(other); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Without one of the rights, nothing goes.
	for n := range rules {
		some := append(append([]rbacv1.PolicyRule{}, rules[:n]...), rules[n+1:]...)
		grant(t, admin, "jim", some)
		eventually(t, func() string {
			if err := jim(as); !apierrors.IsForbidden(err) {
				return "without rule " + rules[n].Resources[0] + ": " + text(err)
			}
			return ""
		})
	}
}

// TestConstrainedImpersonation lets somebody act as another for some verbs alone.
func TestConstrainedImpersonation(t *testing.T) {
	t.Parallel()
	path := secretFile(t, "tokens.csv", "s3cr3t,jim,\n")
	server := stoatest.Start(t, stoatest.WithFlags("--token-auth-file="+path))
	admin := clientFor(t, server.Config())
	grant(t, admin, "jim", []rbacv1.PolicyRule{
		{Verbs: []string{"impersonate:user-info"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"users"}, ResourceNames: []string{"bob"}},
		{Verbs: []string{"impersonate-on:user-info:list"}, APIGroups: []string{""}, Resources: []string{"configmaps"}},
	})
	grant(t, admin, "bob", []rbacv1.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{""}, Resources: []string{"configmaps"}}})
	jim := clientFor(t, stranger(server, func(c *rest.Config) {
		c.BearerToken, c.Impersonate = "s3cr3t", rest.ImpersonationConfig{UserName: "bob"}
	}))
	eventually(t, func() string {
		_, err := jim.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
		return text(err)
	})
	err := jim.CoreV1().ConfigMaps("default").Delete(t.Context(), "kube-root-ca.crt", metav1.DeleteOptions{})
	if want := `configmaps "kube-root-ca.crt" is forbidden: User "jim" cannot impersonate-on:user-info:delete resource "configmaps" in API group "" in the namespace "default"`; text(err) != want {
		t.Errorf("delete: %v, want %s", err, want)
	}
}

// TestAuditOfImpersonation records by which right somebody acts for another.
func TestAuditOfImpersonation(t *testing.T) {
	t.Parallel()
	path := secretFile(t, "tokens.csv", "s3cr3t,jim,\n")
	server, log := audited(t, "omitStages: [RequestReceived]\nrules:\n- {level: None, userGroups: ['system:masters']}\n- {level: Metadata, users: [jim], verbs: [list], resources: [{resources: [configmaps, secrets, pods]}]}\n",
		"--token-auth-file="+path)
	admin := clientFor(t, server.Config())
	grant(t, admin, "jim", []rbacv1.PolicyRule{
		{Verbs: []string{"impersonate:user-info"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"users"}, ResourceNames: []string{"bob"}},
		{Verbs: []string{"impersonate:serviceaccount"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"serviceaccounts"}},
		{Verbs: []string{"impersonate:arbitrary-node"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"nodes"}},
		{Verbs: []string{"impersonate-on:user-info:list", "impersonate-on:serviceaccount:list", "impersonate-on:arbitrary-node:list"}, APIGroups: []string{""}, Resources: []string{"configmaps"}},
		{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{"ann"}},
	})
	list := func(as, resource string) error {
		config := stranger(server, func(c *rest.Config) { c.BearerToken, c.Impersonate = "s3cr3t", rest.ImpersonationConfig{UserName: as} })
		return clientFor(t, config).CoreV1().RESTClient().Get().Namespace("default").Resource(resource).Do(t.Context()).Error()
	}
	// What the other may do is another question.
	for _, as := range []string{"bob", "system:serviceaccount:default:default", "system:node:n1", "ann"} {
		eventually(t, func() string {
			if err := list(as, "configmaps"); err == nil || strings.Contains(err.Error(), "impersonate") {
				return as + ": " + text(err)
			}
			return ""
		})
	}
	if err := list("bob", "secrets"); !apierrors.IsForbidden(err) {
		t.Errorf("another resource: %v", err)
	}
	server.Stop()
	got := map[string]bool{}
	for _, event := range auditEvents(t, log) {
		if event.User.Username != "jim" {
			t.Errorf("an event of %s", event.User.Username)
		}
		as, constraint := "nobody", ""
		if event.ImpersonatedUser != nil {
			as = event.ImpersonatedUser.Username
		}
		if event.AuthenticationMetadata != nil {
			constraint = event.AuthenticationMetadata.ImpersonationConstraint
		}
		got[fmt.Sprintf("%s of %s, by %q", as, event.ObjectRef.Resource, constraint)] = true
	}
	delete(got, `nobody of configmaps, by ""`) // before the rights were known
	want := map[string]bool{
		`bob of configmaps, by "impersonate:user-info"`:                                        true,
		`system:serviceaccount:default:default of configmaps, by "impersonate:serviceaccount"`: true,
		`system:node:n1 of configmaps, by "impersonate:arbitrary-node"`:                        true,
		`ann of configmaps, by ""`:                                                             true,
		`nobody of secrets, by ""`:                                                             true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who acted for whom (-want +got):\n%s", diff)
	}
}

// grant gives a user these rights and no others.
func grant(t *testing.T, admin kubernetes.Interface, name string, rules []rbacv1.PolicyRule) {
	t.Helper()
	ctx, roles, bindings := t.Context(), admin.RbacV1().ClusterRoles(), admin.RbacV1().ClusterRoleBindings()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	_, err := roles.Create(ctx, role, metav1.CreateOptions{})
	if err == nil {
		_, err = bindings.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: name}},
			RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: name},
		}, metav1.CreateOptions{})
	} else {
		_, err = roles.Update(ctx, role, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestSmuggledHeaders are of proxies, and mean nothing without the certificate of one.
func TestSmuggledHeaders(t *testing.T) {
	t.Parallel()
	headers := map[string]string{
		"X-Remote-User": "root", "X-Remote-Uid": "0", "X-Remote-Group": "system:masters", "X-Remote-Extra-Scopes": "all",
		"x_remote_user": "root", "Connection": "X-Remote-User",
	}
	path := secretFile(t, "tokens.csv", "s3cr3t,bob,uid-2\n")
	server := stoatest.Start(t, stoatest.WithFlags("--token-auth-file="+path, "--requestheader-username-headers=X-Remote-User,X-Other-User"))
	headers["X-Other-User"] = "root"
	config := stranger(server, withToken("s3cr3t"))
	config.NextProtos = []string{"http/1.1"}
	got := do(t, request{method: http.MethodPost, path: "/apis/authentication.k8s.io/v1/selfsubjectreviews", config: config, header: headers,
		body: []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`)})
	want := map[string]any{"username": "bob", "uid": "uid-2", "groups": []any{"system:authenticated"}}
	if diff := cmp.Diff(want, got.object(t)["status"].(map[string]any)["userInfo"]); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	// Without anything else they are those of nobody.
	if got := do(t, request{path: "/api/v1/namespaces", config: stranger(server, func(c *rest.Config) { c.NextProtos = []string{"http/1.1"} }), header: headers}); got.code != 403 {
		t.Errorf("%d %s", got.code, got.body)
	}
}
