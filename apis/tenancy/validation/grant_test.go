// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
	"github.com/stoa-project/stoa/apis/tenancy"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func at(hours int) *metav1.Time {
	return &metav1.Time{Time: noon.Add(time.Duration(hours) * time.Hour)}
}

func lasting(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func validGrant() *tenancy.Grant {
	return &tenancy.Grant{
		ObjectMeta: metav1.ObjectMeta{Name: "on-call", Namespace: "shop", ResourceVersion: "1"},
		Spec: tenancy.GrantSpec{
			Subject: alice(),
			RoleRef: &rbacv1.RoleRef{APIGroup: rbacGroup, Kind: "ClusterRole", Name: "edit"},
			Reason:  "incident 42",
		},
	}
}

type grantCase struct {
	name   string
	change func(*tenancy.Grant)
	want   []string
}

func invalidGrants() []grantCase {
	rules := func(rule rbacv1.PolicyRule) func(*tenancy.Grant) {
		return func(o *tenancy.Grant) { o.Spec.RoleRef, o.Spec.Rules = nil, []rbacv1.PolicyRule{rule} }
	}
	return []grantCase{
		{"reserved annotation", func(o *tenancy.Grant) { o.Annotations = map[string]string{"tenancy.stoa.dev/v1-fields": "{}"} }, []string{
			`metadata.annotations[tenancy.stoa.dev/v1-fields]: Invalid value: "{}": is reserved: in v1alpha1 it must hold what the server wrote there, in other versions it must not be set`}},
		{"subject unread", func(o *tenancy.Grant) { o.Spec.Subject = tenancy.UnreadSubject("x:y") }, []string{
			`spec.subject: Invalid value: "x:y": must be "user:<name>", "group:<name>" or "serviceaccount:<namespace>:<name>"`}},
		{"subject", func(o *tenancy.Grant) { o.Spec.Subject = rbacv1.Subject{Kind: "ServiceAccount", APIGroup: "x"} }, []string{
			"spec.subject.name: Required value",
			`spec.subject.apiGroup: Unsupported value: "x": supported values: ""`,
			"spec.subject.namespace: Required value"}},
		{"subject kind", func(o *tenancy.Grant) { o.Spec.Subject.Kind = "" }, []string{"spec.subject.kind: Required value"}},
		{"role", func(o *tenancy.Grant) { o.Spec.RoleRef.Name = "a/b" }, []string{
			`spec.roleRef.name: Invalid value: "a/b": may not contain '/'`}},
		{"empty rule", rules(rbacv1.PolicyRule{}), []string{
			"spec.rules[0].verbs: Required value: verbs must contain at least one value",
			"spec.rules[0].apiGroups: Required value: resource rules must supply at least one api group",
			"spec.rules[0].resources: Required value: resource rules must supply at least one resource"}},
		{"rule without resources", rules(rbacv1.PolicyRule{Verbs: []string{"get"}, NonResourceURLs: []string{"/metrics"}}), []string{
			`spec.rules[0].nonResourceURLs: Invalid value: ["/metrics"]: namespaced rules cannot apply to non-resource URLs`}},
		{"duration", func(o *tenancy.Grant) { o.Spec.Duration = lasting(0) }, []string{
			`spec.duration: Invalid value: "0s": must be greater than 0`}},
	}
}

func TestValidateGrant(t *testing.T) {
	t.Parallel()
	fielderrorstest.Compare(t, nil, ValidateGrant(validGrant()))
	past := validGrant()
	past.Spec.ExpiresAt = at(-1000000)
	fielderrorstest.Compare(t, nil, ValidateGrant(past))
	for _, tc := range invalidGrants() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			obj := validGrant()
			tc.change(obj)
			fielderrorstest.Compare(t, tc.want, ValidateGrant(obj))
			if errs := ValidateGrantUpdate(obj, validGrant()); len(errs) == 0 {
				t.Error("is valid as an update")
			}
		})
	}
}

func TestExpiryComesNearerOnly(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		old, new tenancy.GrantSpec
		want     []string
	}{
		{"earlier", tenancy.GrantSpec{ExpiresAt: at(2)}, tenancy.GrantSpec{ExpiresAt: at(1)}, nil},
		{"the same in another zone", tenancy.GrantSpec{ExpiresAt: at(2)},
			tenancy.GrantSpec{ExpiresAt: &metav1.Time{Time: at(2).In(time.FixedZone("x", 3600))}}, nil},
		{"later", tenancy.GrantSpec{ExpiresAt: at(1)}, tenancy.GrantSpec{ExpiresAt: at(2)}, []string{
			`spec.expiresAt: Invalid value: "2030-01-02T14:00:00Z": must not be later than 2030-01-02T13:00:00Z, make a new grant instead`}},
		{"removed", tenancy.GrantSpec{ExpiresAt: at(1)}, tenancy.GrantSpec{}, []string{
			"spec.expiresAt: Forbidden: may not be removed, make a new grant instead"}},
		{"first end", tenancy.GrantSpec{}, tenancy.GrantSpec{ExpiresAt: at(1)}, nil},
		{"first duration", tenancy.GrantSpec{}, tenancy.GrantSpec{Duration: lasting(time.Hour)}, nil},
		{"shorter", tenancy.GrantSpec{Duration: lasting(time.Hour)}, tenancy.GrantSpec{Duration: lasting(time.Minute)}, nil},
		{"longer", tenancy.GrantSpec{Duration: lasting(time.Hour)}, tenancy.GrantSpec{Duration: lasting(2 * time.Hour)}, []string{
			`spec.duration: Invalid value: "2h0m0s": must not be longer than 1h0m0s, make a new grant instead`}},
		{"exchanged", tenancy.GrantSpec{Duration: lasting(time.Hour)}, tenancy.GrantSpec{ExpiresAt: at(1)}, []string{
			"spec.duration: Forbidden: may not be removed, make a new grant instead"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			old, obj := validGrant(), validGrant()
			old.Spec.ExpiresAt, old.Spec.Duration = tc.old.ExpiresAt, tc.old.Duration
			obj.Spec.ExpiresAt, obj.Spec.Duration = tc.new.ExpiresAt, tc.new.Duration
			fielderrorstest.Compare(t, tc.want, ValidateGrantUpdate(obj, old))
		})
	}
}

func activeGrant() *tenancy.Grant {
	grant := validGrant()
	grant.Status = tenancy.GrantStatus{
		Phase: "Active", ActivatedAt: at(0), ObservedGeneration: 2,
		GrantedBy: &authenticationv1.UserInfo{Username: "bob", Groups: []string{"system:authenticated"}},
	}
	return grant
}

func invalidGrantStatus() []grantCase {
	return []grantCase{
		{"grantor", func(o *tenancy.Grant) { o.Status.GrantedBy.Username = "root" }, []string{
			"status.grantedBy: Forbidden: is only written by the server, when the grant is made"}},
		{"grantor removed", func(o *tenancy.Grant) { o.Status.GrantedBy = nil }, []string{
			"status.grantedBy: Forbidden: is only written by the server, when the grant is made"}},
		{"activation", func(o *tenancy.Grant) { o.Status.ActivatedAt = at(1) }, []string{
			"status.activatedAt: Forbidden: field is immutable once set"}},
		{"back to pending", func(o *tenancy.Grant) { o.Status.Phase = "Pending" }, []string{
			`status.phase: Invalid value: "Pending": may not follow 'Active'`}},
		{"generation", func(o *tenancy.Grant) { o.Status.ObservedGeneration = 1 }, []string{
			"status.observedGeneration: Invalid value: 1: must not decrease"}},
		{"condition", func(o *tenancy.Grant) { o.Status.Conditions = []metav1.Condition{{}} }, []string{
			"status.conditions[0].type: Required value: is required",
			"status.conditions[0].status: Required value",
			"status.conditions[0].lastTransitionTime: Required value",
			"status.conditions[0].reason: Required value"}},
	}
}

func TestValidateGrantStatus(t *testing.T) {
	t.Parallel()
	expired := activeGrant()
	expired.Status.Phase = "Expired"
	pending := activeGrant()
	pending.Status.Phase, pending.Status.ActivatedAt = "Pending", nil
	fielderrorstest.Compare(t, nil, ValidateGrantStatusUpdate(activeGrant(), pending))
	fielderrorstest.Compare(t, nil, ValidateGrantStatusUpdate(expired, activeGrant()))
	fielderrorstest.Compare(t, []string{`status.phase: Invalid value: "Active": may not follow 'Expired'`},
		ValidateGrantStatusUpdate(activeGrant(), expired))
	unactivated := validGrant()
	unactivated.Status.Phase = "Active"
	fielderrorstest.Compare(t, []string{"status.activatedAt: Required value: must be set when `phase` is 'Active'"},
		ValidateGrantStatusUpdate(unactivated, validGrant()))
	for _, tc := range invalidGrantStatus() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			obj := activeGrant()
			tc.change(obj)
			fielderrorstest.Compare(t, tc.want, ValidateGrantStatusUpdate(obj, activeGrant()))
		})
	}
}

func TestWarningsOnGrant(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*tenancy.Grant)
		want   []string
	}{
		{"duration", func(o *tenancy.Grant) { o.Spec.Duration = lasting(time.Hour) }, nil},
		{"future", func(o *tenancy.Grant) { o.Spec.ExpiresAt = at(1) }, nil},
		{"past", func(o *tenancy.Grant) { o.Spec.ExpiresAt = at(-1) }, []string{
			"spec.expiresAt: 2030-01-02T11:00:00Z is over, the grant has expired already"}},
		{"for ever", func(*tenancy.Grant) {}, []string{
			"spec: neither expiresAt nor duration is set, the grant holds until it is deleted"}},
		{"everything", func(o *tenancy.Grant) {
			o.Spec.Duration = lasting(time.Hour)
			o.Spec.Rules = []rbacv1.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{"apps"}, Resources: []string{"*"}}}
		}, []string{"spec.rules[0]: grants everything in the API groups it names"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			obj := validGrant()
			tc.change(obj)
			if diff := cmp.Diff(tc.want, grantWarnings(obj, noon)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff([]string(nil), WarningsOnGrant(validGrant(), validGrant())); diff != "" {
		t.Errorf("warnings of what was there before (-want +got):\n%s", diff)
	}
}
