// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/apis/tenancy/install"
	tenancyv1alpha1 "github.com/stoa-project/stoa/apis/tenancy/v1alpha1"
)

const annotation = "tenancy.stoa.dev/v1-fields"

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	return scheme
}

func toHub(t *testing.T, in *tenancyv1alpha1.Tenant) *tenancy.Tenant {
	t.Helper()
	out := &tenancy.Tenant{}
	if err := newScheme().Convert(in, out, nil); err != nil {
		t.Fatal(err)
	}
	return out
}

func fromHub(t *testing.T, in *tenancy.Tenant) *tenancyv1alpha1.Tenant {
	t.Helper()
	out := &tenancyv1alpha1.Tenant{}
	if err := newScheme().Convert(in, out, nil); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOwners(t *testing.T) {
	t.Parallel()
	user := func(name string) rbacv1.Subject {
		return rbacv1.Subject{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: name}
	}
	for _, tc := range []struct {
		text string
		want rbacv1.Subject
	}{
		{"user:alice", user("alice")},
		{"user:system:admin", user("system:admin")},
		{"user:https://issuer.example.com#sub", user("https://issuer.example.com#sub")},
		{"group:dev", rbacv1.Subject{APIGroup: "rbac.authorization.k8s.io", Kind: "Group", Name: "dev"}},
		{"group:system:masters", rbacv1.Subject{APIGroup: "rbac.authorization.k8s.io", Kind: "Group", Name: "system:masters"}},
		{"serviceaccount:ci:builder", rbacv1.Subject{Kind: "ServiceAccount", Namespace: "ci", Name: "builder"}},
		{"serviceaccount:ci:a:b", rbacv1.Subject{Kind: "ServiceAccount", Namespace: "ci", Name: "a:b"}},
		{"alice", tenancy.UnreadSubject("alice")},
		{"User:alice", tenancy.UnreadSubject("User:alice")},
		{"user:", tenancy.UnreadSubject("user:")},
		{"serviceaccount:ci", tenancy.UnreadSubject("serviceaccount:ci")},
		{"serviceaccount::builder", tenancy.UnreadSubject("serviceaccount::builder")},
		{"", tenancy.UnreadSubject("")},
	} {
		t.Run(tc.text, func(t *testing.T) {
			t.Parallel()
			hub := toHub(t, &tenancyv1alpha1.Tenant{Spec: tenancyv1alpha1.TenantSpec{Owners: []string{tc.text}}})
			if diff := cmp.Diff([]rbacv1.Subject{tc.want}, hub.Spec.Owners); diff != "" {
				t.Errorf("hub (-want +got):\n%s", diff)
			}
			back := fromHub(t, hub)
			if diff := cmp.Diff([]string{tc.text}, back.Spec.Owners); diff != "" {
				t.Errorf("back (-want +got):\n%s", diff)
			}
			if len(back.Annotations) != 0 {
				t.Errorf("needs an annotation: %v", back.Annotations)
			}
		})
	}
}

// fullHub has a value in every field that v1alpha1 does not have.
func fullHub() *tenancy.Tenant {
	return &tenancy.Tenant{
		ObjectMeta: metav1.ObjectMeta{Name: "blue", Annotations: map[string]string{"a": "b"}},
		Spec: tenancy.TenantSpec{
			Owners:     []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: "alice"}},
			Namespaces: tenancy.TenantNamespaces{Limit: ptr.To[int32](3), Labels: map[string]string{"team": "blue"}},
			Quota:      tenancy.TenantQuota{Hard: corev1.ResourceList{"pods": resource.MustParse("10")}},
			NamespaceDefaults: tenancy.NamespaceDefaults{
				Quota:            tenancy.NamespaceQuota{Hard: corev1.ResourceList{"pods": resource.MustParse("5")}},
				NetworkIsolation: tenancy.NetworkIsolationTenant,
			},
			Placement: tenancy.Placement{NodeSelector: map[string]string{"pool": "blue"}},
		},
	}
}

const fullRest = `{"spec":{"namespaces":{"labels":{"team":"blue"}},` +
	`"namespaceDefaults":{"quota":{"hard":{"pods":"5"}}},"placement":{"nodeSelector":{"pool":"blue"}}}}`

func TestTenantIsFlat(t *testing.T) {
	t.Parallel()
	hub := fullHub()
	want := &tenancyv1alpha1.Tenant{
		ObjectMeta: metav1.ObjectMeta{Name: "blue", Annotations: map[string]string{"a": "b", annotation: fullRest}},
		Spec: tenancyv1alpha1.TenantSpec{
			Owners:           []string{"user:alice"},
			MaxNamespaces:    ptr.To[int32](3),
			Quota:            corev1.ResourceList{"pods": resource.MustParse("10")},
			NetworkIsolation: "Tenant",
		},
	}
	if diff := cmp.Diff(want, fromHub(t, hub)); diff != "" {
		t.Errorf("v1alpha1 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fullHub(), hub); diff != "" {
		t.Errorf("conversion changed its input (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(fullHub(), toHub(t, want)); diff != "" {
		t.Errorf("hub (-want +got):\n%s", diff)
	}
}

func TestEditsWin(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		edit func(*tenancyv1alpha1.Tenant)
		want func(*tenancy.Tenant)
	}{
		{"limit removed", func(o *tenancyv1alpha1.Tenant) { o.Spec.MaxNamespaces = nil },
			func(o *tenancy.Tenant) { o.Spec.Namespaces.Limit = nil }},
		{"quota replaced",
			func(o *tenancyv1alpha1.Tenant) {
				o.Spec.Quota = corev1.ResourceList{"secrets": resource.MustParse("1")}
			},
			func(o *tenancy.Tenant) {
				o.Spec.Quota.Hard = corev1.ResourceList{"secrets": resource.MustParse("1")}
			}},
		{"network opened", func(o *tenancyv1alpha1.Tenant) { o.Spec.NetworkIsolation = "None" },
			func(o *tenancy.Tenant) { o.Spec.NamespaceDefaults.NetworkIsolation = "None" }},
		{"owners removed", func(o *tenancyv1alpha1.Tenant) { o.Spec.Owners = nil },
			func(o *tenancy.Tenant) { o.Spec.Owners = nil }},
		{"suspended", func(o *tenancyv1alpha1.Tenant) { o.Spec.Suspended = true },
			func(o *tenancy.Tenant) { o.Spec.Suspended = true }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			edited, want := fromHub(t, fullHub()), fullHub()
			tc.edit(edited)
			tc.want(want)
			if diff := cmp.Diff(want, toHub(t, edited)); diff != "" {
				t.Errorf("hub (-want +got):\n%s", diff)
			}
		})
	}
}

// An owner that no text expresses is kept while its text stays in its place.
func TestInexactOwner(t *testing.T) {
	t.Parallel()
	odd := rbacv1.Subject{APIGroup: "other.example.com", Kind: "User", Name: "alice"}
	hub := &tenancy.Tenant{Spec: tenancy.TenantSpec{Owners: []rbacv1.Subject{odd}}}
	through := fromHub(t, hub)
	if diff := cmp.Diff([]string{"user:alice"}, through.Spec.Owners); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]rbacv1.Subject{odd}, toHub(t, through).Spec.Owners); diff != "" {
		t.Errorf("unchanged (-want +got):\n%s", diff)
	}
	through.Spec.Owners = []string{"user:bob", "user:alice"}
	want := []rbacv1.Subject{
		{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: "bob"},
		{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: "alice"},
	}
	if diff := cmp.Diff(want, toHub(t, through).Spec.Owners); diff != "" {
		t.Errorf("edited (-want +got):\n%s", diff)
	}
}

// What cannot be read stays where it is, for validation to refuse.
func TestUnreadableAnnotation(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no JSON":             "{",
		"empty":               "",
		"null":                "null",
		"a list":              "[]",
		"two objects":         "{}{}",
		"unknown field":       `{"spec":{"placements":{}}}`,
		"wrong type":          `{"spec":{"placement":"here"}}`,
		"bad quantity":        `{"spec":{"namespaceDefaults":{"quota":{"hard":{"pods":"many"}}}}}`,
		"field with a place":  `{"spec":{"suspended":true}}`,
		"hidden owner":        `{"owners":[{"index":0,"text":"user:x","subject":{"kind":"Robot","name":"root"}}]}`,
		"hidden exact owner":  `{"owners":[{"index":0,"text":"user:x","subject":{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"x"}}]}`,
		"field with a place2": `{"spec":{"namespaceDefaults":{"networkIsolation":"Tenant"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &tenancyv1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{annotation: text}}}
			hub := toHub(t, in)
			if got, ok := hub.Annotations[annotation]; !ok || got != text {
				t.Errorf("annotation is %q, %v", got, ok)
			}
			if diff := cmp.Diff(tenancy.TenantSpec{}, hub.Spec); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
			if got := fromHub(t, hub).Annotations[annotation]; got != text {
				t.Errorf("annotation on the way back is %q", got)
			}
		})
	}
}

// An owner index out of range must do no harm.
func TestAnnotationWithForeignOwners(t *testing.T) {
	t.Parallel()
	in := &tenancyv1alpha1.Tenant{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			annotation: `{"owners":[{"index":7,"text":"user:x","subject":{"kind":"User","name":"x"}},` +
				`{"index":-1,"text":"user:x","subject":{"kind":"User","name":"x"}}]}`,
		}},
		Spec: tenancyv1alpha1.TenantSpec{Owners: []string{"user:x"}},
	}
	want := []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: "x"}}
	if diff := cmp.Diff(want, toHub(t, in).Spec.Owners); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	role := &rbacv1.RoleRef{Kind: "Role", Name: "edit"}
	grant := &tenancyv1alpha1.Grant{Spec: tenancyv1alpha1.GrantSpec{RoleRef: role}}
	tenancyv1alpha1.SetObjectDefaults_Grant(grant)
	if role.APIGroup != "rbac.authorization.k8s.io" || grant.Status.Phase != "Pending" {
		t.Errorf("grant is %+v", grant)
	}
	tenant := &tenancyv1alpha1.Tenant{Spec: tenancyv1alpha1.TenantSpec{Suspended: true}}
	tenancyv1alpha1.SetObjectDefaults_Tenant(tenant)
	want := &tenancyv1alpha1.Tenant{
		Spec:   tenancyv1alpha1.TenantSpec{Suspended: true, NetworkIsolation: "None"},
		Status: tenancyv1alpha1.TenantStatus{Phase: "Suspended"},
	}
	if diff := cmp.Diff(want, tenant); diff != "" {
		t.Errorf("tenant (-want +got):\n%s", diff)
	}
}
