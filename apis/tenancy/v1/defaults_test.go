// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/stoa-project/stoa/apis/tenancy/v1"
)

func TestTenantDefaults(t *testing.T) {
	t.Parallel()
	open := v1.TenantSpec{NamespaceDefaults: v1.NamespaceDefaults{NetworkIsolation: "None"}}
	suspended := open
	suspended.Suspended = true
	for _, tc := range []struct {
		name     string
		in, want v1.Tenant
	}{
		{"empty", v1.Tenant{}, v1.Tenant{Spec: open, Status: v1.TenantStatus{Phase: "Active"}}},
		{"suspended", v1.Tenant{Spec: v1.TenantSpec{Suspended: true}},
			v1.Tenant{Spec: suspended, Status: v1.TenantStatus{Phase: "Suspended"}}},
		{"being deleted", v1.Tenant{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}},
			v1.Tenant{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}, Spec: open,
				Status: v1.TenantStatus{Phase: "Terminating"}}},
		{"phase is kept", v1.Tenant{Spec: v1.TenantSpec{Suspended: true}, Status: v1.TenantStatus{Phase: "Active"}},
			v1.Tenant{Spec: suspended, Status: v1.TenantStatus{Phase: "Active"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v1.SetObjectDefaults_Tenant(&tc.in)
			if diff := cmp.Diff(tc.want, tc.in); diff != "" {
				t.Errorf("tenant (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubjectDefaults(t *testing.T) {
	t.Parallel()
	in := v1.Tenant{Spec: v1.TenantSpec{
		Owners: []rbacv1.Subject{
			{Kind: "User", Name: "a"}, {Kind: "Group", Name: "b"},
			{Kind: "ServiceAccount", Name: "c"}, {Kind: "Robot", Name: "d"},
			{Kind: "User", APIGroup: "example.com", Name: "e"},
		},
		NamespaceDefaults: v1.NamespaceDefaults{RoleBindings: []v1.NamespaceRoleBinding{
			{RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "r"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "f"}}},
		}},
	}}
	v1.SetObjectDefaults_Tenant(&in)
	const group = "rbac.authorization.k8s.io"
	var got []string
	for _, owner := range in.Spec.Owners {
		got = append(got, owner.APIGroup)
	}
	binding := in.Spec.NamespaceDefaults.RoleBindings[0]
	got = append(got, binding.RoleRef.APIGroup, binding.Subjects[0].APIGroup)
	if diff := cmp.Diff([]string{group, group, "", "", "example.com", group, group}, got); diff != "" {
		t.Errorf("API groups (-want +got):\n%s", diff)
	}
}

func TestGrantDefaults(t *testing.T) {
	t.Parallel()
	grant := &v1.Grant{Spec: v1.GrantSpec{
		Subject: rbacv1.Subject{Kind: "User", Name: "a"}, RoleRef: &rbacv1.RoleRef{Kind: "Role", Name: "r"},
	}}
	v1.SetObjectDefaults_Grant(grant)
	const group = "rbac.authorization.k8s.io"
	want := &v1.Grant{
		Spec: v1.GrantSpec{
			Subject: rbacv1.Subject{APIGroup: group, Kind: "User", Name: "a"},
			RoleRef: &rbacv1.RoleRef{APIGroup: group, Kind: "Role", Name: "r"},
		},
		Status: v1.GrantStatus{Phase: "Pending"},
	}
	if diff := cmp.Diff(want, grant); diff != "" {
		t.Errorf("grant (-want +got):\n%s", diff)
	}
}
