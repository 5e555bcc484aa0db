// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/stoa-project/stoa/stoatest"
)

// TestAuthExplain asks about rights that come from roles, and from elsewhere.
func TestAuthExplain(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	server := stoatest.Start(t)
	kubeconfig := "--kubeconfig=" + server.Kubeconfig()
	access := kubernetes.NewForConfigOrDie(server.Config()).RbacV1()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "lease"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "update"}, ResourceNames: []string{"mine"}},
	}}
	if _, err := access.Roles("default").Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]struct {
		role    rbacv1.RoleRef
		subject rbacv1.Subject
	}{
		"alice-views": {rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"}, rbacv1.Subject{Kind: "User", Name: "alice"}},
		"dev-edit":    {rbacv1.RoleRef{Kind: "ClusterRole", Name: "edit"}, rbacv1.Subject{Kind: "Group", Name: "dev"}},
		"robot-lease": {rbacv1.RoleRef{Kind: "Role", Name: "lease"}, rbacv1.Subject{Kind: "ServiceAccount", Name: "robot", Namespace: "default"}},
		"lost":        {rbacv1.RoleRef{Kind: "Role", Name: "no-such-role"}, rbacv1.Subject{Kind: "User", Name: "carol"}},
	} {
		binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: in.role, Subjects: []rbacv1.Subject{in.subject}}
		if _, err := access.RoleBindings("default").Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		arguments, want string
		denied          bool
	}{
		"an aggregated role": {"--as=alice list cm", `
yes: user "alice" may list configmaps in namespace "default"
groups: system:authenticated

Allowed by
  RoleBinding "alice-views/default" of ClusterRole "view" to User "alice"
    rule: verbs get,list,watch; API groups ""; resources configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status
    from: ClusterRole "system:aggregate-to-view", by the label rbac.authorization.k8s.io/aggregate-to-view=true
`, false},
		"through two roles": {"--as=bob --as-group=dev get pods/web --subresource=log", `
yes: user "bob" may get pods/log "web" in namespace "default"
groups: dev, system:authenticated

Allowed by
  RoleBinding "dev-edit/default" of ClusterRole "edit" to Group "dev"
    rule: verbs get,list,watch; API groups ""; resources bindings,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status
    from: ClusterRole "view", by the label rbac.authorization.k8s.io/aggregate-to-edit=true
    from: ClusterRole "system:aggregate-to-view", by the label rbac.authorization.k8s.io/aggregate-to-view=true
`, false},
		"another verb": {"--as=alice delete deploy", `
no: user "alice" may not delete deployments.apps in namespace "default"
groups: system:authenticated

No rule allows it.
  RoleBinding "alice-views/default" of ClusterRole "view" to User "alice"
    rule: verbs get,list,watch; API groups apps; resources controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status
    from: ClusterRole "system:aggregate-to-view", by the label rbac.authorization.k8s.io/aggregate-to-view=true
    lacks: verb "delete"
Nothing about deployments.apps is in the other roles of the user: ClusterRole/stoa:project-user, ClusterRole/system:basic-user, ClusterRole/system:discovery, ClusterRole/system:public-info-viewer
`, true},
		"another name": {"--as=system:serviceaccount:default:robot get configmaps/yours -n default", `
no: user "system:serviceaccount:default:robot" may not get configmaps "yours" in namespace "default"
groups: system:serviceaccounts, system:serviceaccounts:default, system:authenticated

No rule allows it.
  RoleBinding "robot-lease/default" of Role "lease" to ServiceAccount "robot/default"
    rule: verbs get,update; API groups ""; resources configmaps; names mine
    lacks: name "yours"
Nothing about configmaps is in the other roles of the user: ClusterRole/system:cluster-trust-bundle-discovery, ClusterRole/system:service-account-issuer-discovery, ClusterRole/stoa:project-user, ClusterRole/system:discovery, ClusterRole/system:public-info-viewer, ClusterRole/system:basic-user
`, true},
		"another namespace": {"--as=alice get pods -n kube-system", `
no: user "alice" may not get pods in namespace "kube-system"
groups: system:authenticated

No rule allows it.
Nothing about pods is in the other roles of the user: ClusterRole/stoa:project-user, ClusterRole/system:discovery, ClusterRole/system:public-info-viewer, ClusterRole/system:basic-user
`, true},
		"a role that is gone": {"--as=carol get pods", `
no: user "carol" may not get pods in namespace "default"
groups: system:authenticated

No rule allows it.
  RoleBinding "lost/default" of Role "no-such-role" to User "carol"
    the role is not known: role.rbac.authorization.k8s.io "no-such-role" not found
Nothing about pods is in the other roles of the user: ClusterRole/stoa:project-user, ClusterRole/system:discovery, ClusterRole/system:public-info-viewer, ClusterRole/system:basic-user

The server says: rbac: RBAC: role.rbac.authorization.k8s.io "no-such-role" not found
`, true},
		"nobody": {"--as=system:anonymous get nodes/a", `
no: user "system:anonymous" may not get nodes "a" everywhere
groups: system:unauthenticated

No rule allows it.
Nothing about nodes is in the other roles of the user: ClusterRole/system:public-info-viewer
`, true},
		"a path": {"--as=alice get --non-resource=/version", `
yes: user "alice" may get path "/version"
groups: system:authenticated

Allowed by
  ClusterRoleBinding "system:discovery" of ClusterRole "system:discovery" to Group "system:authenticated"
    rule: verbs get; paths /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/
  ClusterRoleBinding "system:public-info-viewer" of ClusterRole "system:public-info-viewer" to Group "system:authenticated"
    rule: verbs get; paths /healthz,/livez,/readyz,/version,/version/
`, false},
		"a master": {"delete nodes -A", `
yes: user "stoa-admin" may delete nodes everywhere
groups: system:masters, system:authenticated

Allowed by
  ClusterRoleBinding "cluster-admin" of ClusterRole "cluster-admin" to Group "system:masters"
    rule: verbs *; API groups *; resources *

Allowed by the server whatever roles say: the group system:masters may do everything
`, false},
		"no resource": {"--as=alice get gadgets", `
no: user "alice" may not get gadgets in namespace "default"
groups: system:authenticated
note: the server has no resource "gadgets"

No rule allows it.
Nothing about gadgets is in the other roles of the user: ClusterRole/view, ClusterRole/stoa:project-user, ClusterRole/system:discovery, ClusterRole/system:public-info-viewer, ClusterRole/system:basic-user
`, true},
	} {
		t.Run(name, func(t *testing.T) {
			problem := ""
			// Roles are put together, and bindings are known, a moment after they are made.
			_ = wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
				out, err := run(t, "", append([]string{"auth", "explain", kubeconfig}, strings.Fields(tc.arguments)...)...)
				problem = cmp.Diff(strings.TrimSpace(tc.want), strings.TrimSpace(out))
				if errors.Is(err, errDenied) != tc.denied || err != nil && !tc.denied {
					problem += fmt.Sprintf("error %v", err)
				}
				return problem == "", nil
			})
			if problem != "" {
				t.Errorf("(-want +got):\n%s", problem)
			}
		})
	}
	t.Run("JSON", func(t *testing.T) {
		out, err := run(t, "", "auth", "explain", kubeconfig, "--as=alice", "-o", "json", "get", "configmaps")
		if err != nil {
			t.Fatal(err)
		}
		var got answer
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Allowing) != 1 || got.Allowing[0].Binding != "alice-views" || got.Allowing[0].From[0].Role != "system:aggregate-to-view" ||
			!got.Allowed || got.Request.Resource != "configmaps" || got.Request.Namespace != "default" || len(got.Missing) != 4 ||
			got.Server.Reason != "RBAC: allowed by "+got.Allowing[0].Text {
			t.Errorf("got %s", out)
		}
	})
	t.Run("who may not read roles", func(t *testing.T) {
		config := server.Config()
		config.Impersonate.UserName = "alice"
		q := question{verb: "get", resource: "pods"}
		_, err := q.ask(t.Context(), kubernetes.NewForConfigOrDie(config), "default")
		want := `read cluster roles: clusterroles.rbac.authorization.k8s.io is forbidden: User "alice" cannot list resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope`
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
}

// TestAuthExplainOtherModes says so if not roles decide.
func TestAuthExplainOtherModes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts servers")
	}
	file := filepath.Join(t.TempDir(), "policy")
	const line = `{"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy", "spec": {"user": "ann", "apiGroup": "*", "resource": "*", "namespace": "*"}}`
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	webhook := "--authorization-webhook-config-file=" + reviewer(t)
	for name, tc := range map[string]struct {
		flags     []string
		arguments string
		last      string
	}{
		"a webhook allows":   {[]string{"--authorization-mode=RBAC,Webhook", "--authorization-webhook-version=v1", webhook}, "--as=ann get pods", "Allowed by the server for another reason: ann is known"},
		"a webhook does not": {[]string{"--authorization-mode=RBAC,Webhook", "--authorization-webhook-version=v1", webhook}, "--as=bob get pods", "The server says: default: bob is not known"},
		"a webhook forbids":  {[]string{"--authorization-mode=Webhook,RBAC", "--authorization-webhook-version=v1", webhook}, "--as=eve get --non-resource=/version", "The server does not allow it all the same: eve is banned"},
		"a node":             {[]string{"--authorization-mode=Node,RBAC"}, "--as=system:node:n1 --as-group=system:nodes get nodes/n1", "Allowed by the server for another reason: it gives no reason"},
		"another node":       {[]string{"--authorization-mode=Node,RBAC"}, "--as=system:node:n1 --as-group=system:nodes get secrets/s -n default", "The server says: node: no relationship found between node 'n1' and this object"},
		"allows more":        {[]string{"--authorization-mode=ABAC,RBAC", "--authorization-policy-file=" + file}, "--as=ann get pods", "Allowed by the server for another reason: it gives no reason"},
		"allows less":        {[]string{"--authorization-mode=ABAC", "--authorization-policy-file=" + file}, "--as=bob get --non-resource=/version", "The server does not allow it all the same: abac: No policy matched."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := stoatest.Start(t, stoatest.WithFlags(tc.flags...))
			out, err := run(t, "", append([]string{"auth", "explain", "--kubeconfig=" + server.Kubeconfig()}, strings.Fields(tc.arguments)...)...)
			if err != nil && !errors.Is(err, errDenied) {
				t.Fatal(err)
			}
			if !strings.HasSuffix(out, "\n\n"+tc.last+"\n") {
				t.Errorf("got %s", out)
			}
		})
	}
}

// reviewer writes the kubeconfig of a webhook that knows ann, and bans eve.
func reviewer(t *testing.T) string {
	t.Helper()
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review authorizationv1.SubjectAccessReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		switch who := review.Spec.User; who {
		case "ann":
			review.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: true, Reason: "ann is known"}
		case "eve":
			review.Status = authorizationv1.SubjectAccessReviewStatus{Denied: true, Reason: "eve is banned"}
		default:
			review.Status.Reason = who + " is not known"
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(webhook.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["reviewer"] = &clientcmdapi.Cluster{Server: webhook.URL}
	config.Contexts["reviewer"] = &clientcmdapi.Context{Cluster: "reviewer"}
	config.CurrentContext = "reviewer"
	file := filepath.Join(t.TempDir(), "reviewer.kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAuthExplainErrors are found before a server is asked.
func TestAuthExplainErrors(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		"":                                      "explain must follow",
		"explain":                               "VERB and RESOURCE must follow, such as: get pods",
		"explain get":                           "VERB and RESOURCE must follow, such as: get pods",
		"explain get pods x":                    "VERB and RESOURCE must follow, such as: get pods",
		"explain get pods -o yaml":              `-o must be json, not "yaml"`,
		"explain get pods --as-group=a":         "--as-group needs --as",
		"explain get pods -n a -A":              "--namespace and --all-namespaces exclude each other",
		"explain get pods --non-resource=/a":    "VERB alone must follow --non-resource",
		"explain get --non-resource=a":          "--non-resource must begin with a slash",
		"explain get --non-resource=/a -n b":    "--namespace, --all-namespaces and --subresource are for resources",
		"explain get pods --kubeconfig=/nosuch": "kubeconfig: stat /nosuch: no such file or directory",
	} {
		t.Run(arguments, func(t *testing.T) {
			t.Parallel()
			if out, err := run(t, "", append([]string{"auth"}, strings.Fields(arguments)...)...); err == nil || err.Error() != want || out != "" {
				t.Errorf("error %v, want %s; output %q", err, want, out)
			}
		})
	}
}
