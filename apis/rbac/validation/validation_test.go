// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func TestValidateRules(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name          string
		rule          rbacv1.PolicyRule
		cluster, role []string
	}{
		{"resources", rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}, nil, nil},
		{"paths", rbacv1.PolicyRule{Verbs: []string{"get"}, NonResourceURLs: []string{"/a"}}, nil, []string{
			`rules[0].nonResourceURLs: Invalid value: ["/a"]: namespaced rules cannot apply to non-resource URLs`}},
		{"both", rbacv1.PolicyRule{Verbs: []string{"get"}, NonResourceURLs: []string{"/a"}, Resources: []string{"pods"}}, []string{
			`rules[0].nonResourceURLs: Invalid value: ["/a"]: rules cannot apply to both regular resources and non-resource URLs`}, []string{
			`rules[0].nonResourceURLs: Invalid value: ["/a"]: rules cannot apply to both regular resources and non-resource URLs`,
			`rules[0].nonResourceURLs: Invalid value: ["/a"]: namespaced rules cannot apply to non-resource URLs`}},
		{"nothing", rbacv1.PolicyRule{}, []string{
			"rules[0].verbs: Required value: verbs must contain at least one value",
			"rules[0].apiGroups: Required value: resource rules must supply at least one api group",
			"rules[0].resources: Required value: resource rules must supply at least one resource"}, []string{
			"rules[0].verbs: Required value: verbs must contain at least one value",
			"rules[0].apiGroups: Required value: resource rules must supply at least one api group",
			"rules[0].resources: Required value: resource rules must supply at least one resource"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, tc.cluster, ValidateClusterRole(&rbacv1.ClusterRole{Rules: []rbacv1.PolicyRule{tc.rule}}))
			fielderrorstest.Compare(t, tc.role, ValidateRole(&rbacv1.Role{Rules: []rbacv1.PolicyRule{tc.rule}}))
		})
	}
}

func TestValidateAggregation(t *testing.T) {
	t.Parallel()
	fielderrorstest.Compare(t, []string{"aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"},
		ValidateClusterRole(&rbacv1.ClusterRole{AggregationRule: &rbacv1.AggregationRule{}}))
	role := &rbacv1.ClusterRole{AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
		{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "In", Values: []string{"no value!"}}}},
	}}}
	if errs := ValidateClusterRole(role); len(errs) != 2 {
		t.Errorf("a value that no label can have: %v", errs)
	}
	if errs := ValidateClusterRoleUpdate(role, role); len(errs) != 1 { // it still selects nothing
		t.Errorf("a value that was there: %v", errs)
	}
}

func TestValidateBindings(t *testing.T) {
	t.Parallel()
	binding := func(role rbacv1.RoleRef, subjects ...rbacv1.Subject) *rbacv1.ClusterRoleBinding {
		return &rbacv1.ClusterRoleBinding{RoleRef: role, Subjects: subjects}
	}
	view := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}
	for _, tc := range []struct {
		name    string
		binding *rbacv1.ClusterRoleBinding
		want    []string
	}{
		{"valid", binding(view, rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: "u"},
			rbacv1.Subject{Kind: "ServiceAccount", Namespace: "ns", Name: "a"}), nil},
		{"role of a namespace", binding(rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "a/b"}), []string{
			`roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"`,
			`roleRef.name: Invalid value: "a/b": may not contain '/'`}},
		{"subjects", binding(view, rbacv1.Subject{Kind: "Group", Name: "g"}, rbacv1.Subject{Kind: "ServiceAccount", APIGroup: "apps", Name: "A"}, rbacv1.Subject{}), []string{
			`subjects[0].apiGroup: Unsupported value: "": supported values: "rbac.authorization.k8s.io"`,
			`subjects[1].name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
			`subjects[1].apiGroup: Unsupported value: "apps": supported values: ""`,
			`subjects[1].namespace: Required value`,
			`subjects[2].name: Required value`,
			`subjects[2].kind: Unsupported value: "": supported values: "ServiceAccount", "User", "Group"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, tc.want, ValidateClusterRoleBinding(tc.binding))
		})
	}
	other := binding(rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"})
	if errs := ValidateClusterRoleBindingUpdate(other, binding(view)); len(errs) != 1 || errs[0].Field != "roleRef" {
		t.Errorf("another role: %v", errs)
	}
	fielderrorstest.Compare(t, nil, ValidateRoleBinding(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "r"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "a"}},
	}))
}
