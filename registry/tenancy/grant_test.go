// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestGrants(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t, stoatest.WithFlags("--controllers=-*")).Config() // which would write to the objects of the test
	t.Run("v1", func(t *testing.T) { grantsV1(t, config) })
	t.Run("v1alpha1", func(t *testing.T) { grantsV1alpha1(t, config) })
}

func grantsV1(t *testing.T, config *rest.Config) {
	kindtest.Run(t, kindtest.Suite{
		Config:    config,
		Resource:  schema.GroupVersionResource{Group: "tenancy.stoa.dev", Version: "v1", Resource: "grants"},
		Namespace: "default",
		Versions:  []string{"v1alpha1"},
		Valid: `
apiVersion: tenancy.stoa.dev/v1
kind: Grant
spec:
  subject: {kind: User, name: bob, apiGroup: rbac.authorization.k8s.io}
  roleRef: {kind: ClusterRole, name: view, apiGroup: rbac.authorization.k8s.io}
  duration: 8h0m0s
  reason: on call
`,
		Update:     `spec: {reason: on call again}`,
		Status:     `status: {phase: Active, activatedAt: "2030-01-01T00:00:00Z", expiresAt: "2030-01-01T08:00:00Z"}`,
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name:   "neither role nor rules",
			Patch:  `spec: {roleRef: null}`,
			Errors: []string{"spec: Invalid value: \"\": must specify one of: `roleRef`, `rules`"},
		}, {
			Name:   "role and rules",
			Patch:  `spec: {rules: [{verbs: [get], apiGroups: [""], resources: [pods]}]}`,
			Errors: []string{"spec: Invalid value: \"{roleRef, rules}\": must specify exactly one of: `roleRef`, `rules`"},
		}, {
			Name:   "two ends",
			Patch:  `spec: {expiresAt: "2030-01-01T00:00:00Z"}`,
			Errors: []string{"spec: Invalid value: \"{expiresAt, duration}\": must specify at most one of: `expiresAt`, `duration`"},
		}, {
			Name:  "rules that say nothing",
			Patch: `spec: {roleRef: null, rules: [{verbs: [], nonResourceURLs: ["/x"]}, {verbs: [get]}]}`,
			Errors: []string{
				`spec.rules[0].verbs: Required value: verbs must contain at least one value`,
				`spec.rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs`,
				`spec.rules[1].apiGroups: Required value: resource rules must supply at least one api group`,
				`spec.rules[1].resources: Required value: resource rules must supply at least one resource`,
			},
		}, {
			Name:   "a duration of nothing",
			Patch:  `spec: {duration: 0s}`,
			Errors: []string{`spec.duration: Invalid value: "0s": must be greater than 0`},
		}, {
			Name:   "no subject",
			Patch:  `spec: {subject: {kind: User, name: ""}}`,
			Errors: []string{`spec.subject.name: Required value`},
		}, {
			Name:     "another subject",
			OnUpdate: true,
			Patch:    `spec: {subject: {name: eve}}`,
			Errors:   []string{`spec.subject: Invalid value: null: field is immutable`},
		}, {
			Name:     "a longer duration",
			OnUpdate: true,
			Patch:    `spec: {duration: 9h}`,
			Errors:   []string{`spec.duration: Invalid value: "9h0m0s": must not be longer than 8h0m0s, make a new grant instead`},
		}, {
			Name:     "no duration any more",
			OnUpdate: true,
			Patch:    `spec: {duration: null}`,
			Errors:   []string{`spec.duration: Forbidden: may not be removed, make a new grant instead`},
		}},
		Columns:   []string{"Name", "Subject", "Role", "Phase", "Expires", "Age", "Reason"},
		Selectors: map[string]bool{"status.phase=Pending": true, "status.phase=Active": false, "metadata.namespace=default": true},
	})
}

func grantsV1alpha1(t *testing.T, config *rest.Config) {
	kindtest.Run(t, kindtest.Suite{
		Config:    config,
		Resource:  schema.GroupVersionResource{Group: "tenancy.stoa.dev", Version: "v1alpha1", Resource: "grants"},
		Namespace: "default",
		Versions:  []string{"v1"},
		Valid: `
apiVersion: tenancy.stoa.dev/v1alpha1
kind: Grant
spec:
  subject: user:bob
  rules: [{verbs: [get], apiGroups: [""], resources: [configmaps]}]
  expiresAt: "2100-01-01T00:00:00Z"
`,
		Update:     `spec: {expiresAt: "2099-01-01T00:00:00Z"}`,
		Status:     `status: {phase: Refused}`,
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name:   "a subject that is nobody",
			Patch:  `spec: {subject: bob}`,
			Errors: []string{`spec.subject: Invalid value: "bob": must be "user:<name>", "group:<name>" or "serviceaccount:<namespace>:<name>"`},
		}, {
			Name:   "a service account in a bad namespace",
			Patch:  `spec: {subject: "serviceaccount:NO:x"}`,
			Errors: []string{`spec.subject: Invalid value: "NO": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`},
		}, {
			Name:     "another subject",
			OnUpdate: true,
			Patch:    `spec: {subject: "user:eve"}`,
			Errors:   []string{`spec.subject: Invalid value: null: field is immutable`},
		}, {
			Name:     "a later end",
			OnUpdate: true,
			Patch:    `spec: {expiresAt: "2101-01-01T00:00:00Z"}`,
			Errors:   []string{`spec.expiresAt: Invalid value: "2101-01-01T00:00:00Z": must not be later than 2100-01-01T00:00:00Z, make a new grant instead`},
		}},
		Columns:   []string{"Name", "Subject", "Role", "Phase", "Expires", "Age", "Reason"},
		Selectors: map[string]bool{"status.phase=Pending": true},
	})
}

// TestGrantStatus lets phases follow each other in one direction only.
func TestGrantStatus(t *testing.T) {
	t.Parallel()
	grants := versioned.NewForConfigOrDie(stoatest.Start(t, stoatest.WithFlags("--controllers=-*")).Config()).TenancyV1().Grants("default")
	for _, tc := range []struct {
		name  string
		steps []string
		want  string
	}{
		{name: "expires", steps: []string{`{"phase":"Active","activatedAt":"2030-01-01T00:00:00Z"}`, `{"phase":"Expired"}`}},
		{name: "refused", steps: []string{`{"phase":"Refused"}`}},
		{name: "back", steps: []string{`{"phase":"Refused"}`, `{"phase":"Pending"}`}, want: `status.phase: Invalid value: "Pending": may not follow 'Refused'`},
		{name: "unset", steps: []string{`{"phase":"Expired"}`, `{"phase":null}`}, want: `status.phase: Invalid value: "Pending": may not follow 'Expired'`},
		{name: "no-time", steps: []string{`{"phase":"Active"}`}, want: "status.activatedAt: Required value: must be set when `phase` is 'Active'"},
		{name: "other-grantor", steps: []string{`{"grantedBy":{"username":"b"}}`}, want: `status.grantedBy: Forbidden: is only written by the server, when the grant is made`},
		{name: "unknown", steps: []string{`{"phase":"Maybe"}`}, want: `status.phase: Unsupported value: "Maybe": supported values: "Active", "Expired", "Pending", "Refused"`},
		{name: "back-in-time", steps: []string{`{"observedGeneration":2}`, `{"observedGeneration":1}`}, want: `status.observedGeneration: Invalid value: 1: must not decrease`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := grants.Create(t.Context(), &tenancyv1.Grant{
				ObjectMeta: metav1.ObjectMeta{Name: tc.name},
				Spec: tenancyv1.GrantSpec{
					Subject: rbacv1.Subject{Kind: "User", Name: "bob"}, RoleRef: &rbacv1.RoleRef{Kind: "Role", Name: "view"},
					Duration: &metav1.Duration{Duration: time.Hour},
				},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for i, step := range tc.steps {
				_, err = grants.Patch(t.Context(), tc.name, types.MergePatchType, []byte(`{"status":`+step+`}`), metav1.PatchOptions{}, "status")
				if err != nil && i < len(tc.steps)-1 {
					t.Fatalf("%s: %v", step, err)
				}
			}
			got, want := "", tc.want
			if err != nil {
				got = err.Error()
			}
			if want != "" {
				want = `Grant.tenancy.stoa.dev "` + tc.name + `" is invalid: ` + want
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestGrantedBy checks that a grant says who made it, whatever the client wrote.
func TestGrantedBy(t *testing.T) {
	t.Parallel()
	grants := versioned.NewForConfigOrDie(stoatest.Start(t, stoatest.WithFlags("--controllers=-*")).Config()).TenancyV1().Grants("default")
	made, err := grants.Create(t.Context(), &tenancyv1.Grant{
		ObjectMeta: metav1.ObjectMeta{Name: "mine"},
		Spec: tenancyv1.GrantSpec{
			Subject: rbacv1.Subject{Kind: "User", Name: "bob"}, RoleRef: &rbacv1.RoleRef{Kind: "Role", Name: "view"},
			Duration: &metav1.Duration{Duration: time.Hour},
		},
		Status: tenancyv1.GrantStatus{GrantedBy: &authenticationv1.UserInfo{Username: "root"}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	by := made.Status.GrantedBy
	if by == nil || by.Username != "stoa-admin" {
		t.Fatalf("grantedBy is %+v, want stoa-admin", by)
	}
	if diff := cmp.Diff([]string{"system:masters", "system:authenticated"}, by.Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

func TestGrantWarnings(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t, stoatest.WithFlags("--controllers=-*")).Config() // which would write to the objects of the test
	warnings := &recorder{}
	config.WarningHandlerWithContext = warnings
	grants := versioned.NewForConfigOrDie(config).TenancyV1().Grants("default")
	past := metav1.NewTime(time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC))
	everything := []rbacv1.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{""}, Resources: []string{"*"}}}
	for _, tc := range []struct {
		name string
		spec tenancyv1.GrantSpec
		want []string
	}{
		{name: "no-end", want: []string{"spec: neither expiresAt nor duration is set, the grant holds until it is deleted"}},
		{name: "over", spec: tenancyv1.GrantSpec{ExpiresAt: &past}, want: []string{"spec.expiresAt: 2001-02-03T04:05:06Z is over, the grant has expired already"}},
		{name: "everything", spec: tenancyv1.GrantSpec{Duration: &metav1.Duration{Duration: time.Hour}, Rules: everything},
			want: []string{"spec.rules[0]: grants everything in the API groups it names"}},
	} {
		tc.spec.Subject = rbacv1.Subject{Kind: "Group", Name: "dev"}
		if tc.spec.Rules == nil {
			tc.spec.RoleRef = &rbacv1.RoleRef{Kind: "Role", Name: "view"}
		}
		created, err := grants.Create(t.Context(), &tenancyv1.Grant{ObjectMeta: metav1.ObjectMeta{Name: tc.name}, Spec: tc.spec}, metav1.CreateOptions{})
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if diff := cmp.Diff(tc.want, warnings.take()); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", tc.name, diff)
		}
		created.Labels = map[string]string{"a": "b"}
		if _, err := grants.Update(t.Context(), created, metav1.UpdateOptions{}); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if again := warnings.take(); again != nil {
			t.Errorf("%s: an update that does not touch the spec warns again: %v", tc.name, again)
		}
	}
}
