// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/stoatest"
)

// as returns a client of the shared server for a user without other groups than those.
func as(t *testing.T, user string, groups ...string) kubernetes.Interface {
	t.Helper()
	return impersonate(t, api, user, groups...)
}

// impersonate returns a client of a server for a user.
func impersonate(t *testing.T, server *stoatest.Server, user string, groups ...string) kubernetes.Interface {
	t.Helper()
	config := rest.CopyConfig(server.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func admin(t *testing.T) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// bind gives a user a cluster role in a namespace.
func bind(t *testing.T, namespace, role, user string) {
	t.Helper()
	binding := bindingOf(role+"-"+user, role, user)
	if _, err := admin(t).RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func bindingOf(name, role, user string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
	}
}

// may asks for an own right until the answer is the one that is wanted: the server
// hears of roles and bindings by watches.
func may(t *testing.T, client kubernetes.Interface, want bool, attributes authorizationv1.ResourceAttributes) {
	t.Helper()
	eventually(t, func() string {
		review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes},
		}, metav1.CreateOptions{})
		if err != nil {
			return err.Error()
		}
		if review.Status.Allowed != want {
			return "the answer to " + attributes.Verb + " " + attributes.Resource + " is wrong: " + review.Status.Reason
		}
		return ""
	})
}

// TestDefaultRoles asks what the roles allow that every server has.
func TestDefaultRoles(t *testing.T) {
	t.Parallel()
	own, other := newNamespace(t), newNamespace(t)
	for _, role := range []string{"view", "edit", "admin"} {
		bind(t, own, role, role+"-"+own)
	}
	type right struct{ verb, group, resource, subresource string }
	rights := map[right][]string{
		{"get", "", "pods", ""}:                                                    {"view", "edit", "admin"},
		{"get", "", "pods", "log"}:                                                 {"view", "edit", "admin"},
		{"create", "", "pods", "exec"}:                                             {"edit", "admin"},
		{"watch", "apps", "deployments", ""}:                                       {"view", "edit", "admin"},
		{"patch", "apps", "deployments", "scale"}:                                  {"edit", "admin"},
		{"list", "", "secrets", ""}:                                                {"edit", "admin"},
		{"create", "", "configmaps", ""}:                                           {"edit", "admin"},
		{"create", "rbac.authorization.k8s.io", "rolebindings", ""}:                {"admin"},
		{"update", "", "resourcequotas", ""}:                                       {},
		{"create", "authorization.k8s.io", "localsubjectaccessreviews", ""}:        {"admin"},
		{"delete", "", "nodes", ""}:                                                {},
		{"create", "rbac.authorization.k8s.io", "clusterrolebindings", ""}:         {},
		{"escalate", "rbac.authorization.k8s.io", "roles", ""}:                     {},
		{"*", "*", "*", ""}:                                                        {},
		{"impersonate", "", "users", ""}:                                           {},
		{"deletecollection", "networking.k8s.io", "networkpolicies", ""}:           {"edit", "admin"},
		{"get", "networking.k8s.io", "networkpolicies", ""}:                        {"view", "edit", "admin"},
		{"get", "admissionregistration.k8s.io", "validatingadmissionpolicies", ""}: {},
	}
	for _, role := range []string{"view", "edit", "admin"} {
		client := as(t, role+"-"+own, "system:authenticated")
		may(t, client, true, authorizationv1.ResourceAttributes{Namespace: own, Verb: "get", Resource: "pods"}) // the binding is known
		for r, roles := range rights {
			allowed := strings.Contains(strings.Join(roles, " "), role)
			at := authorizationv1.ResourceAttributes{Namespace: own, Verb: r.verb, Group: r.group, Resource: r.resource, Subresource: r.subresource}
			may(t, client, allowed, at)
			at.Namespace = other
			may(t, client, false, at)
		}
	}
	for _, who := range []kubernetes.Interface{as(t, "somebody", "system:authenticated"), as(t, "system:anonymous", "system:unauthenticated")} {
		if _, err := who.CoreV1().Pods(own).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("list pods: %v, want Forbidden", err)
		}
	}
}

// TestEscalation has users give away what they have, and what they do not have.
func TestEscalation(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	name := "ann-" + namespace
	bind(t, namespace, "admin", name)
	ann := as(t, name, "system:authenticated")
	may(t, ann, true, authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "create", Group: rbacv1.GroupName, Resource: "rolebindings"})
	roles, bindings := ann.RbacV1().Roles(namespace), ann.RbacV1().RoleBindings(namespace)
	eventually(t, func() string { // the role admin gets its rules while the server is young
		_, err := bindings.Create(t.Context(), bindingOf("view", "view", "eve"), metav1.CreateOptions{})
		if err != nil {
			return "binding of a role with less: " + text(err)
		}
		return ""
	})
	role := func(verbs ...string) *rbacv1.Role {
		return &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Name: "nodes"},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: verbs}},
		}
	}
	forbidden := func(what string, err error, rules string) {
		t.Helper()
		want := what + ` is forbidden: user "` + name + `" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:` + "\n" + rules
		if diff := cmp.Diff(want, text(err)); diff != "" {
			t.Errorf("message (-want +got):\n%s", diff)
		}
	}
	_, err := roles.Create(t.Context(), role("delete", "get"), metav1.CreateOptions{})
	forbidden(`roles.rbac.authorization.k8s.io "nodes"`, err, `{APIGroups:[""], Resources:["nodes"], Verbs:["delete" "get"]}`)
	_, err = bindings.Create(t.Context(), bindingOf("all", "system:kubelet-api-admin", "eve"), metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(text(err), `{APIGroups:[""], Resources:["nodes/log"], Verbs:["*"]}`) {
		t.Errorf("binding of a role with more: %v", err)
	}
	_, err = bindings.Create(t.Context(), bindingOf("none", "no-such-role", "eve"), metav1.CreateOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("binding of a role that is not there: %v", err)
	}

	mine := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "mine"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}},
	}
	made, err := roles.Create(t.Context(), mine, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Rules[0].Resources = []string{"nodes"}
	_, err = roles.Update(t.Context(), made, metav1.UpdateOptions{})
	forbidden(`roles.rbac.authorization.k8s.io "mine"`, err, `{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}`)

	// Who may escalate may write any role; who may bind may bind those.
	special := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "special-" + namespace},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}, Verbs: []string{"escalate"}},
			{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: []string{"cluster-admin"}, Verbs: []string{"bind"}},
		},
	}
	if _, err := admin(t).RbacV1().ClusterRoles().Create(t.Context(), special, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	bind(t, namespace, special.Name, name)
	may(t, ann, true, authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "escalate", Group: rbacv1.GroupName, Resource: "roles"})
	if _, err := roles.Create(t.Context(), role("delete"), metav1.CreateOptions{}); err != nil {
		t.Errorf("a role by who may escalate: %v", err)
	}
	if _, err := bindings.Create(t.Context(), bindingOf("root", "cluster-admin", "eve"), metav1.CreateOptions{}); err != nil {
		t.Errorf("a binding by who may bind: %v", err)
	}
	aggregates := &rbacv1.ClusterRole{
		ObjectMeta:      metav1.ObjectMeta{Name: "sum-" + namespace},
		AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"a": "b"}}}},
	}
	who := "sums-" + namespace
	rules := []rbacv1.PolicyRule{{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, Verbs: []string{"create"}}}
	grantEverywhere(t, who, rules)
	sums := as(t, who, "system:authenticated")
	may(t, sums, true, authorizationv1.ResourceAttributes{Verb: "create", Group: rbacv1.GroupName, Resource: "clusterroles"})
	_, err = sums.RbacV1().ClusterRoles().Create(t.Context(), aggregates, metav1.CreateOptions{})
	want := `clusterroles.rbac.authorization.k8s.io "` + aggregates.Name + `" is forbidden: must have cluster-admin privileges to use the aggregationRule`
	if diff := cmp.Diff(want, text(err)); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

// grantEverywhere gives a user rules in all namespaces.
func grantEverywhere(t *testing.T, user string, rules []rbacv1.PolicyRule) {
	t.Helper()
	access := admin(t).RbacV1()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: rules}
	if _, err := access.ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := access.ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: role.ObjectMeta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAggregatedRoles adds a part to a role that is made of others, and takes it away.
func TestAggregatedRoles(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	roles, parts := admin(t).RbacV1().ClusterRoles(), map[string]string{"part-of": namespace}
	sum := &rbacv1.ClusterRole{
		ObjectMeta:      metav1.ObjectMeta{Name: "sum-" + namespace},
		AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: parts}}},
	}
	if _, err := roles.Create(t.Context(), sum, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	bind(t, namespace, sum.Name, "viewer-"+namespace)
	client, group := as(t, "viewer-"+namespace), namespace+".example.com"
	widgets := authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "get", Group: group, Resource: "widgets"}
	may(t, client, false, widgets)
	part := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "part-" + namespace, Labels: parts},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{"widgets"}, Verbs: []string{"get"}}},
	}
	if _, err := roles.Create(t.Context(), part, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	may(t, client, true, widgets)
	got, err := roles.Get(t.Context(), sum.Name, metav1.GetOptions{})
	if err != nil || !slices.ContainsFunc(got.ManagedFields, func(f metav1.ManagedFieldsEntry) bool { return f.Manager == "clusterrole-aggregation-controller" }) {
		t.Errorf("managers of the rules: %v, %v", got.ManagedFields, err)
	}
	if err := roles.Delete(t.Context(), part.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	may(t, client, false, widgets)
}

// TestOwnRules asks for the rules of a user, as kubectl auth can-i --list does.
func TestOwnRules(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	who := "lists-" + namespace
	grantEverywhere(t, who, []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}})
	wanted := authorizationv1.ResourceRule{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"pods"}}
	eventually(t, func() string {
		review, err := admin(t).AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: who, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods"}},
		}, metav1.CreateOptions{})
		if err != nil || !review.Status.Allowed {
			return "the rules are not known: " + text(err)
		}
		return ""
	})
	review, err := as(t, who).AuthorizationV1().SelfSubjectRulesReviews().Create(t.Context(), &authorizationv1.SelfSubjectRulesReview{
		Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace},
	}, metav1.CreateOptions{})
	has := func(r authorizationv1.ResourceRule) bool { return cmp.Equal(r, wanted) }
	if err != nil || review.Status.Incomplete || len(review.Status.NonResourceRules) == 0 || !slices.ContainsFunc(review.Status.ResourceRules, has) {
		t.Errorf("got %+v, %v", review, err)
	}
}
