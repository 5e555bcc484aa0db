// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"context"
	"errors"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/rbac/escalation"
)

// given is a role that subjects get in all namespaces of a tenant.
type given struct {
	role     rbacv1.RoleRef
	subjects []rbacv1.Subject
}

// givenBy returns what a tenant gives away.
func givenBy(t *tenancy.Tenant) []given {
	var out []given
	if len(t.Spec.Owners) > 0 {
		out = append(out, given{rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: tenancy.OwnersRole}, t.Spec.Owners})
	}
	for _, b := range t.Spec.NamespaceDefaults.RoleBindings {
		subjects := b.Subjects
		if len(subjects) == 0 {
			subjects = t.Spec.Owners
		}
		out = append(out, given{b.RoleRef, subjects})
	}
	return out
}

// permitTenant refuses a tenant that gives somebody what the caller does not hold in all
// namespaces: a controller binds what it says, which may do everything. What the tenant
// gives already stays.
func permitTenant(ctx context.Context, server kind.Server, obj, old *tenancy.Tenant) error {
	caller, ok := genericapirequest.UserFrom(ctx)
	if !ok || server.Roles == nil {
		return nil
	}
	had := map[rbacv1.RoleRef]sets.Set[rbacv1.Subject]{}
	if old != nil {
		for _, g := range givenBy(old) {
			had[g.role] = sets.New(g.subjects...).Union(had[g.role])
		}
	}
	guard := escalation.Guard{Authorizer: server.Authorizer, Roles: server.Roles}
	for _, g := range givenBy(obj) {
		if subjects, gave := had[g.role]; gave && subjects.HasAll(g.subjects...) || g.role.Kind != "Role" && g.role.Kind != "ClusterRole" {
			continue // validation refuses other roles
		}
		err := guard.Bind(ctx, caller, "", g.role)
		if g.role.Kind == "Role" && apierrors.IsNotFound(err) { // each namespace has its own, which may allow anything
			all := []string{rbacv1.VerbAll}
			err = guard.Write(ctx, caller, "", "roles", g.role.Name, []rbacv1.PolicyRule{{Verbs: all, APIGroups: all, Resources: all}})
		}
		if more := (escalation.Error{}); errors.As(err, &more) {
			return apierrors.NewForbidden(tenancy.Resource("tenants"), obj.Name, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
