// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/authz/rbac"
)

// TestExplain orders what does not allow a request by how near it comes.
func TestExplain(t *testing.T) {
	t.Parallel()
	a, err := rbac.NewFixed(rbac.Policy{
		ClusterRoles: []*rbacv1.ClusterRole{
			clusterRole("paths", rbacv1.PolicyRule{Verbs: []string{"get"}, NonResourceURLs: []string{"/version"}}),
			clusterRole("reads", rule([]string{"delete"}, []string{""}, []string{"secrets"}), rule([]string{"get"}, []string{""}, []string{"pods"})),
			clusterRole("empty"),
		},
		ClusterRoleBindings: []*rbacv1.ClusterRoleBinding{
			clusterRoleBinding("a", "empty", named("ann")), clusterRoleBinding("b", "gone", named("ann")),
			clusterRoleBinding("c", "paths", named("ann")), clusterRoleBinding("d", "reads", named("ann")), clusterRoleBinding("e", "reads", named("bob")),
		},
		Roles:        []*rbacv1.Role{role("one", rule([]string{"delete"}, []string{""}, []string{"pods"}, "mine"))},
		RoleBindings: []*rbacv1.RoleBinding{roleBinding("f", ref("Role", "one"), named("ann"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	type candidate struct {
		Binding string
		Misses  []rbac.Part
		Err     string
	}
	ann := &user.DefaultInfo{Name: "ann"}
	explain := func(request authorizer.Attributes) []candidate {
		var out []candidate
		for _, c := range a.Explain(request) {
			got := candidate{Binding: c.Grant.Name, Misses: c.Misses}
			if c.Err != nil {
				got.Err = c.Err.Error()
			}
			out = append(out, got)
		}
		return out
	}
	gone := `clusterrole.rbac.authorization.k8s.io "gone" not found`
	if diff := cmp.Diff([]candidate{
		{"f", []rbac.Part{rbac.PartName}, ""},
		{"d", []rbac.Part{rbac.PartVerb}, ""},
		{"c", []rbac.Part{rbac.PartVerb, rbac.PartGroup, rbac.PartResource}, ""},
		{"a", nil, ""},
		{"b", nil, gone},
	}, explain(request(ann, "delete", "", "pods", "", "blue", "x"))); diff != "" {
		t.Errorf("a resource (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]candidate{
		{"c", nil, ""},
		{"d", []rbac.Part{rbac.PartPath}, ""},
		{"a", nil, ""},
		{"b", nil, gone},
	}, explain(path(ann, "get", "/version"))); diff != "" {
		t.Errorf("a path (-want +got):\n%s", diff)
	}
}

// TestSources follows a rule through roles that are made of others, one of them of itself.
func TestSources(t *testing.T) {
	t.Parallel()
	pods := rule([]string{"get"}, []string{""}, []string{"pods"})
	own := rule([]string{"get"}, []string{""}, []string{"secrets"})
	part := func(name, is, has string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
		role := clusterRole(name, rules...)
		role.Labels = map[string]string{"to": is}
		if has != "" {
			role.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"to": has}}}}
		}
		return role
	}
	a, err := rbac.NewFixed(rbac.Policy{ClusterRoles: []*rbacv1.ClusterRole{
		part("all", "", "some", pods, own), part("some", "some", "few", pods), part("few", "few", "", pods), part("loop", "loop", "loop", pods),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		role string
		rule rbacv1.PolicyRule
		want []rbac.Source
	}{
		{"all", pods, []rbac.Source{{Role: "some", Selector: "to=some"}, {Role: "few", Selector: "to=few"}}},
		{"all", own, nil},
		{"few", pods, nil},
		{"loop", pods, nil},
		{"none", pods, nil},
	} {
		if diff := cmp.Diff(tc.want, a.Sources(tc.role, &tc.rule)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.role, diff)
		}
	}
}
