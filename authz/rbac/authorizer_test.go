// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/authz/rbac"
)

func rule(verbs, groups, resources []string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: verbs, APIGroups: groups, Resources: resources, ResourceNames: names}
}

func clusterRole(name string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
}

func role(name string, rules ...rbacv1.PolicyRule) *rbacv1.Role {
	return &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: name}, Rules: rules}
}

func ref(kind, name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
}

func clusterRoleBinding(name, role string, subjects ...rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: ref("ClusterRole", role), Subjects: subjects}
}

func roleBinding(name string, to rbacv1.RoleRef, subjects ...rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: name}, RoleRef: to, Subjects: subjects}
}

func named(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}
}

func members(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: name}
}

func account(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}

// start returns an authorizer that knows the objects.
func start(tb testing.TB, objects ...runtime.Object) (*rbac.Authorizer, *fake.Clientset) {
	tb.Helper()
	client := fake.NewClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	a, err := rbac.New(factory.Rbac().V1())
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	tb.Cleanup(func() {
		cancel()
		factory.Shutdown()
	})
	factory.StartWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), a.HasSynced) {
		tb.Fatal("the informers have not synced")
	}
	return a, client
}

// attributes spell a request as "verb group/resource[/subresource] [namespace [name]]" would.
func request(who *user.DefaultInfo, verb, group, resource, subresource, namespace, name string) authorizer.Attributes {
	return authorizer.AttributesRecord{
		User: who, Verb: verb, APIGroup: group, APIVersion: "v1", Resource: resource, Subresource: subresource,
		Namespace: namespace, Name: name, ResourceRequest: true,
	}
}

func path(who *user.DefaultInfo, verb, path string) authorizer.Attributes {
	return authorizer.AttributesRecord{User: who, Verb: verb, Path: path}
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	a, _ := start(t,
		clusterRole("reader", rule([]string{"get", "list"}, []string{""}, []string{"pods", "pods/log"})),
		clusterRole("scaler", rule([]string{"update"}, []string{"*"}, []string{"*/scale"})),
		clusterRole("one", rule([]string{"get"}, []string{""}, []string{"secrets"}, "mine")),
		clusterRole("all", rule([]string{"*"}, []string{"apps"}, []string{"*"})),
		clusterRole("paths", rbacv1.PolicyRule{Verbs: []string{"get"}, NonResourceURLs: []string{"/metrics", "/debug/*"}}),
		role("editor", rule([]string{"create"}, []string{""}, []string{"configmaps"})),
		clusterRoleBinding("ann-reads", "reader", named("ann")),
		clusterRoleBinding("ops", "scaler", members("ops"), named("ann")),
		clusterRoleBinding("paths", "paths", members("ops")),
		clusterRoleBinding("nobody", "all", account("", "robot"), rbacv1.Subject{Kind: "Unknown", Name: "ann"}),
		clusterRoleBinding("lost", "no-such-role", members("lost")),
		roleBinding("bob-edits", ref("Role", "editor"), named("bob")),
		roleBinding("bob-apps", ref("ClusterRole", "all"), named("bob")),
		roleBinding("robots", ref("ClusterRole", "one"), account("", "robot"), account("green", "robot")),
		roleBinding("odd", ref("Odd", "one"), members("odd")),
	)
	ann, bob := &user.DefaultInfo{Name: "ann"}, &user.DefaultInfo{Name: "bob"}
	ops := &user.DefaultInfo{Name: "eve", Groups: []string{"users", "ops"}}
	robot := &user.DefaultInfo{Name: "system:serviceaccount:blue:robot"}
	other := &user.DefaultInfo{Name: "system:serviceaccount:green:robot"}
	lost, odd := &user.DefaultInfo{Name: "x", Groups: []string{"lost"}}, &user.DefaultInfo{Name: "x", Groups: []string{"odd"}}
	const reads = `RBAC: allowed by ClusterRoleBinding "ann-reads" of ClusterRole "reader" to User "ann"`
	for name, test := range map[string]struct {
		request authorizer.Attributes
		reason  string // of who is allowed
		unknown string // of who is not
	}{
		"a user":                    {request: request(ann, "get", "", "pods", "", "blue", "x"), reason: reads},
		"in no namespace":           {request: request(ann, "list", "", "pods", "", "", ""), reason: reads},
		"a subresource":             {request: request(ann, "get", "", "pods", "log", "blue", "x"), reason: reads},
		"another verb":              {request: request(ann, "delete", "", "pods", "", "blue", "x")},
		"another subresource":       {request: request(ann, "get", "", "pods", "exec", "blue", "x")},
		"another group":             {request: request(ann, "get", "metrics.k8s.io", "pods", "", "blue", "x")},
		"another user":              {request: request(bob, "get", "", "pods", "", "blue", "x")},
		"a group":                   {request: request(ops, "update", "apps", "deployments", "scale", "blue", "x"), reason: `RBAC: allowed by ClusterRoleBinding "ops" of ClusterRole "scaler" to Group "ops"`},
		"*/scale is no resource":    {request: request(ops, "update", "apps", "scale", "", "blue", "x")},
		"a role":                    {request: request(bob, "create", "", "configmaps", "", "blue", ""), reason: `RBAC: allowed by RoleBinding "bob-edits/blue" of Role "editor" to User "bob"`},
		"a role elsewhere":          {request: request(bob, "create", "", "configmaps", "", "green", "")},
		"a role everywhere":         {request: request(bob, "create", "", "configmaps", "", "", "")},
		"a cluster role in one":     {request: request(bob, "patch", "apps", "deployments", "scale", "blue", "x"), reason: `RBAC: allowed by RoleBinding "bob-apps/blue" of ClusterRole "all" to User "bob"`},
		"an account":                {request: request(robot, "get", "", "secrets", "", "blue", "mine"), reason: `RBAC: allowed by RoleBinding "robots/blue" of ClusterRole "one" to ServiceAccount "robot/blue"`},
		"an account of elsewhere":   {request: request(other, "get", "", "secrets", "", "blue", "mine"), reason: `RBAC: allowed by RoleBinding "robots/blue" of ClusterRole "one" to ServiceAccount "robot/green"`},
		"another name":              {request: request(robot, "get", "", "secrets", "", "blue", "yours")},
		"a list has no name":        {request: request(robot, "list", "", "secrets", "", "blue", "")},
		"no account":                {request: request(robot, "get", "apps", "deployments", "", "", "")},
		"a path":                    {request: path(ops, "get", "/metrics"), reason: `RBAC: allowed by ClusterRoleBinding "paths" of ClusterRole "paths" to Group "ops"`},
		"below a path":              {request: path(ops, "get", "/debug/pprof/heap"), reason: `RBAC: allowed by ClusterRoleBinding "paths" of ClusterRole "paths" to Group "ops"`},
		"longer than a path":        {request: path(ops, "get", "/metrics/slis")},
		"another verb for a path":   {request: path(ops, "post", "/metrics")},
		"a path that is a resource": {request: path(ann, "get", "pods")},
		"a role that is gone":       {request: request(lost, "get", "", "pods", "", "", ""), unknown: `RBAC: clusterrole.rbac.authorization.k8s.io "no-such-role" not found`},
		"a role of no kind":         {request: request(odd, "get", "", "pods", "", "blue", ""), unknown: `RBAC: unsupported role reference kind: "Odd"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decision, reason, err := a.Authorize(t.Context(), test.request)
			explained := a.Explain(test.request)
			if allows := len(explained) > 0 && explained[0].Allows(); allows != (decision == authorizer.DecisionAllow) ||
				allows && "RBAC: allowed by "+explained[0].Grant.String() != reason {
				t.Errorf("explained by %+v", explained)
			}
			want := authorizer.DecisionNoOpinion
			if test.reason != "" {
				want = authorizer.DecisionAllow
			}
			if decision != want || reason != test.reason+test.unknown || err != nil {
				t.Errorf("got %v, %q, %v", decision, reason, err)
			}
		})
	}
}

func TestRulesFor(t *testing.T) {
	t.Parallel()
	reads := rule([]string{"get"}, []string{""}, []string{"pods"}, "a")
	a, _ := start(t,
		clusterRole("reader", reads, rbacv1.PolicyRule{Verbs: []string{"get"}, NonResourceURLs: []string{"/version"}}),
		clusterRoleBinding("once", "reader", named("ann")), clusterRoleBinding("twice", "reader", members("users")),
		clusterRoleBinding("lost", "gone", named("ann")),
	)
	resources, paths, incomplete, err := a.RulesFor(t.Context(), &user.DefaultInfo{Name: "ann", Groups: []string{"users"}}, "blue")
	if diff := cmp.Diff([]authorizer.ResourceRuleInfo{&authorizer.DefaultResourceRuleInfo{
		Verbs: reads.Verbs, APIGroups: reads.APIGroups, Resources: reads.Resources, ResourceNames: reads.ResourceNames,
	}}, resources); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]authorizer.NonResourceRuleInfo{&authorizer.DefaultNonResourceRuleInfo{
		Verbs: []string{"get"}, NonResourceURLs: []string{"/version"},
	}}, paths); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	if incomplete || err == nil || err.Error() != `clusterrole.rbac.authorization.k8s.io "gone" not found` {
		t.Errorf("got %v, %v", incomplete, err)
	}
}

// TestChanges follows a binding through its life.
func TestChanges(t *testing.T) {
	t.Parallel()
	a, client := start(t, clusterRole("reader", rule([]string{"get"}, []string{""}, []string{"pods"})))
	may := func(name string) bool {
		decision, _, _ := a.Authorize(t.Context(), request(&user.DefaultInfo{Name: name}, "get", "", "pods", "", "blue", "x"))
		return decision == authorizer.DecisionAllow
	}
	eventually := func(what string, is func() bool) {
		t.Helper()
		for !is() {
			if err := t.Context().Err(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	bindings := client.RbacV1().RoleBindings("blue")
	binding := roleBinding("b", ref("ClusterRole", "reader"), named("ann"), named("ann"), named("bob"))
	binding.ResourceVersion = "1"
	if _, err := bindings.Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually("ann may not", func() bool { return may("ann") && may("bob") })
	binding = binding.DeepCopy()
	binding.Subjects, binding.ResourceVersion = []rbacv1.Subject{named("bob"), named("eve")}, "2"
	if _, err := bindings.Update(t.Context(), binding, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually("ann still may", func() bool { return !may("ann") && may("bob") && may("eve") })
	if err := bindings.Delete(t.Context(), "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually("bob still may", func() bool { return !may("bob") && !may("eve") })
}

func TestFixed(t *testing.T) {
	t.Parallel()
	a, err := rbac.NewFixed(rbac.Policy{
		ClusterRoles:        []*rbacv1.ClusterRole{clusterRole("reader", rule([]string{"get"}, []string{""}, []string{"pods"}))},
		ClusterRoleBindings: []*rbacv1.ClusterRoleBinding{clusterRoleBinding("ann-reads", "reader", named("ann"))},
	})
	if err != nil || !a.HasSynced() {
		t.Fatal(err)
	}
	decision, reason, err := a.Authorize(t.Context(), request(&user.DefaultInfo{Name: "ann"}, "get", "", "pods", "", "blue", "x"))
	if decision != authorizer.DecisionAllow || err != nil {
		t.Errorf("got %v, %q, %v", decision, reason, err)
	}
}

// BenchmarkAuthorize decides about a user among bindings that are for others.
func BenchmarkAuthorize(b *testing.B) {
	for _, count := range []int{100, 10_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			roles := []*rbacv1.ClusterRole{clusterRole("reader", rule([]string{"get"}, []string{""}, []string{"pods"}))}
			bindings := []*rbacv1.ClusterRoleBinding{clusterRoleBinding("mine", "reader", named("ann"))}
			for i := range count {
				bindings = append(bindings, clusterRoleBinding(fmt.Sprint("b", i), "reader", named(fmt.Sprint("u", i)), members(fmt.Sprint("g", i))))
			}
			a, err := rbac.NewFixed(rbac.Policy{ClusterRoles: roles, ClusterRoleBindings: bindings})
			if err != nil {
				b.Fatal(err)
			}
			ann := &user.DefaultInfo{Name: "ann", Groups: []string{"users", "staff", user.AllAuthenticated}}
			wanted := request(ann, "get", "", "pods", "", "blue", "x")
			b.ReportAllocs()
			for b.Loop() {
				if decision, _, _ := a.Authorize(b.Context(), wanted); decision != authorizer.DecisionAllow {
					b.Fatal("not allowed")
				}
			}
		})
	}
}
