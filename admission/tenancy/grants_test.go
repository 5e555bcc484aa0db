// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy_test

import (
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// audited are the attributes of a request, with what is told to the audit log.
type audited struct {
	admission.Attributes

	told map[string]string
}

func (a audited) AddAnnotation(key, value string) error {
	a.told[key] = value
	return nil
}

// The audit log has for each change of a grant what is granted, whoever changes it.
func TestGrantsInAudit(t *testing.T) {
	t.Parallel()
	p, _ := start(t)
	at := metav1.NewTime(time.Date(2030, 1, 2, 13, 0, 0, 0, time.FixedZone("CET", 3600)))
	grant := func(change func(*tenancy.Grant)) *tenancy.Grant {
		g := &tenancy.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: "orange", Name: "bob"}}
		g.Spec.Subject = rbacv1.Subject{Kind: rbacv1.UserKind, Name: "bob"}
		g.Spec.RoleRef = &rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"}
		g.Status = tenancy.GrantStatus{Phase: tenancy.GrantPending, GrantedBy: &authenticationv1.UserInfo{Username: "ann"}}
		change(g)
		return g
	}
	for name, tc := range map[string]struct {
		operation   admission.Operation
		subresource string
		grant, old  *tenancy.Grant
		want        string
	}{
		"made": {
			operation: admission.Create, grant: grant(func(g *tenancy.Grant) { g.Spec.Duration = &metav1.Duration{Duration: time.Hour} }),
			want: "Pending: ClusterRole view to User bob by ann until 1h0m0s after activation",
		},
		"made of rules": {
			operation: admission.Create, grant: grant(func(g *tenancy.Grant) { g.Spec.RoleRef, g.Spec.Rules = nil, make([]rbacv1.PolicyRule, 2) }),
			want: "Pending: 2 rules to User bob by ann until it is deleted",
		},
		"in force": {
			operation: admission.Update, subresource: "status", old: grant(func(*tenancy.Grant) {}),
			grant: grant(func(g *tenancy.Grant) { g.Status.Phase, g.Status.ExpiresAt = tenancy.GrantActive, &at }),
			want:  "Active: ClusterRole view to User bob by ann until 2030-01-02T12:00:00Z",
		},
		"made shorter": {
			operation: admission.Update, old: grant(func(*tenancy.Grant) {}),
			grant: grant(func(g *tenancy.Grant) { g.Status.Phase, g.Spec.ExpiresAt = tenancy.GrantActive, &at }),
			want:  "Active: ClusterRole view to User bob by ann until 2030-01-02T12:00:00Z",
		},
		"refused": {
			operation: admission.Update, subresource: "status", old: grant(func(*tenancy.Grant) {}),
			grant: grant(func(g *tenancy.Grant) { g.Status.Phase = tenancy.GrantRefused }),
			want:  "Refused: ClusterRole view to User bob by ann until it is deleted",
		},
		"over": {
			operation: admission.Update, subresource: "status", old: grant(func(*tenancy.Grant) {}),
			grant: grant(func(g *tenancy.Grant) { g.Status.Phase, g.Status.ExpiresAt = tenancy.GrantExpired, &at }),
			want:  "Expired: ClusterRole view to User bob by ann until 2030-01-02T12:00:00Z",
		},
		"deleted": {
			operation: admission.Delete, old: grant(func(g *tenancy.Grant) { g.Status.Phase, g.Status.GrantedBy = tenancy.GrantActive, nil }),
			want: "Active: ClusterRole view to User bob by nobody until it is deleted",
		},
		"several deleted": {operation: admission.Delete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var obj, old runtime.Object
			if tc.grant != nil {
				obj = tc.grant
			}
			if tc.old != nil {
				old = tc.old
			}
			a := audited{admission.NewAttributesRecord(obj, old, tenancy.Kind("Grant").WithVersion("v1"), "orange", "bob",
				tenancy.Resource("grants").WithVersion("v1"), tc.subresource, tc.operation, nil, false, as("ann")), map[string]string{}}
			if err := p.Interface().(admission.ValidationInterface).Validate(t.Context(), a, nil); err != nil {
				t.Fatal(err)
			}
			if got := a.told["grant.tenancy.stoa.dev/what"]; got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
