// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReadAccess(t *testing.T) {
	t.Parallel()
	a, err := readAccess(rolesText)
	if err != nil {
		t.Fatal(err)
	}
	got := []int{len(a.clusterRoles), len(a.clusterRoleBindings), len(a.roles), len(a.roleBindings)}
	if diff := cmp.Diff([]int{73 + 6, 54 + 3, 7, 7}, got); diff != "" { // some are our own
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestReadAccessTable(t *testing.T) {
	t.Parallel()
	a, err := readAccess("# text\nclusterrole view part-of=edit sum-of=view\nrole ns/reader\n\tget,list \"\",apps pods a,b\n\tget /healthz\n" +
		"rolebinding ns/b role=reader user=u account=ns2/s\n")
	if err != nil {
		t.Fatal(err)
	}
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"},
			Annotations: map[string]string{"rbac.authorization.kubernetes.io/autoupdate": "true"},
		}
	}
	view := &rbacv1.ClusterRole{ObjectMeta: meta("", "view"), AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
		{MatchLabels: map[string]string{"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
	}}}
	view.Labels["rbac.authorization.k8s.io/aggregate-to-edit"] = "true"
	want := &access{
		clusterRoles: []*rbacv1.ClusterRole{view},
		roles: []*rbacv1.Role{{ObjectMeta: meta("ns", "reader"), Rules: []rbacv1.PolicyRule{
			{Verbs: []string{"get", "list"}, APIGroups: []string{"", "apps"}, Resources: []string{"pods"}, ResourceNames: []string{"a", "b"}},
			{Verbs: []string{"get"}, NonResourceURLs: []string{"/healthz"}},
		}}},
		roleBindings: []*rbacv1.RoleBinding{{
			ObjectMeta: meta("ns", "b"), RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: "reader"},
			Subjects: []rbacv1.Subject{
				{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: "u"}, {Kind: "ServiceAccount", Namespace: "ns2", Name: "s"},
			},
		}},
	}
	a.rules = nil
	if diff := cmp.Diff(want, a, cmp.AllowUnexported(access{})); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"\tget \"\" pods":                 "line 1 of the table of roles: a rule must follow a role",
		"clusterrole":                     "line 1 of the table of roles: \"clusterrole\" must have a name",
		"clusterrole a\n\tget":            "line 2 of the table of roles: a rule must have two, three or four words, not 1",
		"clusterrole a of=b":              "line 1 of the table of roles: \"of=b\" is no option of a cluster role",
		"clusterrolebinding a someone=me": "line 1 of the table of roles: \"someone=me\" is no option of a binding",
		"thing a":                         "line 1 of the table of roles: \"thing\" is no kind",
	} {
		if _, err := readAccess(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
