// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	tenancyv1alpha1 "github.com/stoa-project/stoa/apis/tenancy/v1alpha1"
)

// enforced drops the errors of alpha tags, as the server does.
func enforced(errs field.ErrorList) []string {
	var out []string
	for _, err := range errs {
		if !err.IsAlpha() {
			out = append(out, err.Error())
		}
	}
	return out
}

func grantV1() *tenancyv1.Grant {
	return &tenancyv1.Grant{Spec: tenancyv1.GrantSpec{
		Subject: rbacv1.Subject{Kind: "User", Name: "alice"}, RoleRef: &rbacv1.RoleRef{Kind: "Role", Name: "edit"},
	}}
}

func grantV1alpha1() *tenancyv1alpha1.Grant {
	return &tenancyv1alpha1.Grant{Spec: tenancyv1alpha1.GrantSpec{
		Subject: "user:alice", RoleRef: &rbacv1.RoleRef{Kind: "Role", Name: "edit"},
	}}
}

func change[T any](obj *T, edit func(*T)) *T {
	edit(obj)
	return obj
}

func TestDeclarativeValidation(t *testing.T) {
	t.Parallel()
	hour := &metav1.Duration{Duration: time.Hour}
	end := &metav1.Time{Time: time.Unix(1900000000, 0)}
	rules := []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}
	for _, tc := range []struct {
		name string
		obj  runtime.Object
		want []string
	}{
		{"tenant", &tenancyv1.Tenant{}, nil},
		{"tenant alpha", &tenancyv1alpha1.Tenant{}, nil},
		{"grant", grantV1(), nil},
		{"grant alpha", grantV1alpha1(), nil},
		{"display name", &tenancyv1.Tenant{Spec: tenancyv1.TenantSpec{DisplayName: strings.Repeat("x", 254)}}, []string{
			"spec.displayName: Too long: may not be more than 253 characters"}},
		{"display name alpha", &tenancyv1alpha1.Tenant{Spec: tenancyv1alpha1.TenantSpec{DisplayName: strings.Repeat("x", 254)}}, []string{
			"spec.displayName: Too long: may not be more than 253 characters"}},
		{"limit", &tenancyv1.Tenant{Spec: tenancyv1.TenantSpec{Namespaces: tenancyv1.TenantNamespaces{Limit: ptr.To[int32](-1)}}}, []string{
			"spec.namespaces.limit: Invalid value: -1: must be greater than or equal to 0"}},
		{"limit alpha", &tenancyv1alpha1.Tenant{Spec: tenancyv1alpha1.TenantSpec{MaxNamespaces: ptr.To[int32](-1)}}, []string{
			"spec.maxNamespaces: Invalid value: -1: must be greater than or equal to 0"}},
		{"network", &tenancyv1.Tenant{Spec: tenancyv1.TenantSpec{NamespaceDefaults: tenancyv1.NamespaceDefaults{NetworkIsolation: "Some"}}}, []string{
			`spec.namespaceDefaults.networkIsolation: Unsupported value: "Some": supported values: "None", "Tenant"`}},
		{"network alpha", &tenancyv1alpha1.Tenant{Spec: tenancyv1alpha1.TenantSpec{NetworkIsolation: "Some"}}, []string{
			`spec.networkIsolation: Unsupported value: "Some": supported values: "None", "Tenant"`}},
		{"owners", &tenancyv1.Tenant{Spec: tenancyv1.TenantSpec{Owners: make([]rbacv1.Subject, 257)}}, []string{
			"spec.owners: Too many: 257: must have at most 256 items"}},
		{"phase", &tenancyv1.Tenant{Status: tenancyv1.TenantStatus{Phase: "Odd"}}, []string{
			`status.phase: Unsupported value: "Odd": supported values: "Active", "Suspended", "Terminating"`}},
		{"names twice", &tenancyv1.Tenant{Status: tenancyv1.TenantStatus{Namespaces: tenancyv1.TenantNamespacesStatus{Names: []string{"a", "a"}}}}, []string{
			`status.namespaces.names[1]: Duplicate value: "a"`}},
		{"names twice alpha", &tenancyv1alpha1.Tenant{Status: tenancyv1alpha1.TenantStatus{Namespaces: []string{"a", "a"}}}, []string{
			`status.namespaces[1]: Duplicate value: "a"`}},
		{"role and rules", change(grantV1(), func(o *tenancyv1.Grant) { o.Spec.Rules = rules }), []string{
			"spec: Invalid value: \"{roleRef, rules}\": must specify exactly one of: `roleRef`, `rules`"}},
		{"neither role nor rules", change(grantV1(), func(o *tenancyv1.Grant) { o.Spec.RoleRef = nil }), []string{
			"spec: Invalid value: \"\": must specify one of: `roleRef`, `rules`"}},
		{"two ends", change(grantV1alpha1(), func(o *tenancyv1alpha1.Grant) { o.Spec.ExpiresAt, o.Spec.Duration = end, hour }), []string{
			"spec: Invalid value: \"{expiresAt, duration}\": must specify at most one of: `expiresAt`, `duration`"}},
		{"no subject alpha", change(grantV1alpha1(), func(o *tenancyv1alpha1.Grant) { o.Spec.Subject = "" }), []string{
			"spec.subject: Required value"}},
		{"reason", change(grantV1(), func(o *tenancyv1.Grant) { o.Spec.Reason = strings.Repeat("x", 1025) }), []string{
			"spec.reason: Too long: may not be more than 1024 characters"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			scheme := newScheme()
			if diff := cmp.Diff(tc.want, enforced(scheme.Validate(t.Context(), nil, tc.obj))); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, enforced(scheme.Validate(t.Context(), nil, tc.obj, "status"))); diff != "" {
				t.Errorf("errors of the status subresource (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeclarativeValidationOfUpdates(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		obj, old runtime.Object
		want     []string
	}{
		{"unchanged", grantV1(), grantV1(), nil},
		{"subject", change(grantV1(), func(o *tenancyv1.Grant) { o.Spec.Subject.Name = "bob" }), grantV1(), []string{
			`spec.subject: Invalid value: null: field is immutable`}},
		{"subject alpha", change(grantV1alpha1(), func(o *tenancyv1alpha1.Grant) { o.Spec.Subject = "user:bob" }), grantV1alpha1(), []string{
			`spec.subject: Invalid value: null: field is immutable`}},
		{"role", change(grantV1(), func(o *tenancyv1.Grant) { o.Spec.RoleRef.Name = "admin" }), grantV1(), []string{
			`spec.roleRef: Invalid value: null: field is immutable`}},
		{"reason", change(grantV1(), func(o *tenancyv1.Grant) { o.Spec.Reason = "other" }), grantV1(), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, enforced(newScheme().ValidateUpdate(t.Context(), nil, tc.obj, tc.old))); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

// The lifecycle that the generated code reports is that of Kubernetes versions,
// and the server speaks 1.37: nothing may be newer than that, or removed by it.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	type introduced interface{ APILifecycleIntroduced() (int, int) }
	type removed interface{ APILifecycleRemoved() (int, int) }
	for _, obj := range []introduced{&tenancyv1.Tenant{}, &tenancyv1.Grant{}, &tenancyv1alpha1.Tenant{}, &tenancyv1alpha1.Grant{}} {
		if major, minor := obj.APILifecycleIntroduced(); major != 1 || minor > 37 {
			t.Errorf("%T is introduced in %d.%d", obj, major, minor)
		}
		if gone, ok := obj.(removed); ok {
			if major, minor := gone.APILifecycleRemoved(); major != 1 || minor < 43 {
				t.Errorf("%T is removed in %d.%d", obj, major, minor)
			}
		}
	}
}
