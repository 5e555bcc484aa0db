// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
)

func TestTenantDefaults(t *testing.T) {
	t.Parallel()
	open := tenancyv1.TenantSpec{NamespaceDefaults: tenancyv1.NamespaceDefaults{NetworkIsolation: "None"}}
	suspended := open
	suspended.Suspended = true
	for _, tc := range []struct {
		name     string
		in, want tenancyv1.Tenant
	}{
		{"empty", tenancyv1.Tenant{}, tenancyv1.Tenant{Spec: open, Status: tenancyv1.TenantStatus{Phase: "Active"}}},
		{"suspended", tenancyv1.Tenant{Spec: tenancyv1.TenantSpec{Suspended: true}},
			tenancyv1.Tenant{Spec: suspended, Status: tenancyv1.TenantStatus{Phase: "Suspended"}}},
		{"being deleted", tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}},
			tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}, Spec: open,
				Status: tenancyv1.TenantStatus{Phase: "Terminating"}}},
		{"phase is kept", tenancyv1.Tenant{Spec: tenancyv1.TenantSpec{Suspended: true}, Status: tenancyv1.TenantStatus{Phase: "Active"}},
			tenancyv1.Tenant{Spec: suspended, Status: tenancyv1.TenantStatus{Phase: "Active"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tenancyv1.SetObjectDefaults_Tenant(&tc.in)
			if diff := cmp.Diff(tc.want, tc.in); diff != "" {
				t.Errorf("tenant (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubjectDefaults(t *testing.T) {
	t.Parallel()
	in := tenancyv1.Tenant{Spec: tenancyv1.TenantSpec{
		Owners: []rbacv1.Subject{
			{Kind: "User", Name: "a"}, {Kind: "Group", Name: "b"},
			{Kind: "ServiceAccount", Name: "c"}, {Kind: "Robot", Name: "d"},
			{Kind: "User", APIGroup: "example.com", Name: "e"},
		},
		NamespaceDefaults: tenancyv1.NamespaceDefaults{RoleBindings: []tenancyv1.NamespaceRoleBinding{
			{RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "r"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "f"}}},
		}},
	}}
	tenancyv1.SetObjectDefaults_Tenant(&in)
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
	grant := &tenancyv1.Grant{Spec: tenancyv1.GrantSpec{
		Subject: rbacv1.Subject{Kind: "User", Name: "a"}, RoleRef: &rbacv1.RoleRef{Kind: "Role", Name: "r"},
	}}
	tenancyv1.SetObjectDefaults_Grant(grant)
	const group = "rbac.authorization.k8s.io"
	want := &tenancyv1.Grant{
		Spec: tenancyv1.GrantSpec{
			Subject: rbacv1.Subject{APIGroup: group, Kind: "User", Name: "a"},
			RoleRef: &rbacv1.RoleRef{APIGroup: group, Kind: "Role", Name: "r"},
		},
		Status: tenancyv1.GrantStatus{Phase: "Pending"},
	}
	if diff := cmp.Diff(want, grant); diff != "" {
		t.Errorf("grant (-want +got):\n%s", diff)
	}
}
