// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"errors"

	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"

	"github.com/stoa-project/stoa/apis/rbac"
	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/rbac/escalation"
)

// object is what all kinds of the group are.
type object interface {
	runtime.Object
	metav1.Object
}

// was returns the object before an update, or nil.
func was[T any, PT interface {
	*T
	object
}](old PT) object {
	if old == nil {
		return nil
	}
	return old
}

// permitRole says whether the caller may write a role with these rules.
func permitRole(ctx context.Context, server kind.Server, resource string, obj, old object, rules []rbacv1.PolicyRule, aggregates bool) error {
	caller, ok := genericapirequest.UserFrom(ctx)
	if !ok || onlyGarbage(obj, old) {
		return nil
	}
	name := ""
	if info, ok := genericapirequest.RequestInfoFrom(ctx); ok {
		name = info.Name // a create has none in its path
	}
	confirm := func(rules []rbacv1.PolicyRule) error {
		return guard(server).Write(ctx, caller, genericapirequest.NamespaceValue(ctx), resource, name, rules)
	}
	if err := confirm(rules); err != nil {
		return apierrors.NewForbidden(rbac.Resource(resource), obj.GetName(), err)
	}
	if aggregates && confirm(everything()) != nil {
		return apierrors.NewForbidden(rbac.Resource(resource), obj.GetName(), errors.New("must have cluster-admin privileges to use the aggregationRule"))
	}
	return nil
}

// permitBinding says whether the caller may write a binding of this role.
func permitBinding(ctx context.Context, server kind.Server, resource string, obj, old object, role rbacv1.RoleRef) error {
	caller, ok := genericapirequest.UserFrom(ctx)
	if !ok || onlyGarbage(obj, old) {
		return nil
	}
	guard := guard(server)
	guard.Until = tenancy.EndOfBinding(obj)
	err := guard.Bind(ctx, caller, genericapirequest.NamespaceValue(ctx), role)
	if more := (escalation.Error{}); errors.As(err, &more) {
		return apierrors.NewForbidden(rbac.Resource(resource), obj.GetName(), err)
	}
	return err
}

func guard(server kind.Server) escalation.Guard {
	return escalation.Guard{Authorizer: server.Authorizer, Roles: server.Roles}
}

// onlyGarbage says whether an update only changes what the garbage collector may
// have to change, whose rights are few.
func onlyGarbage(obj, old object) bool {
	if old == nil {
		return false
	}
	same := obj.DeepCopyObject().(object)
	same.SetOwnerReferences(old.GetOwnerReferences())
	same.SetFinalizers(old.GetFinalizers())
	same.SetManagedFields(old.GetManagedFields())
	return apiequality.Semantic.DeepEqual(same, old)
}

// everything is what a cluster administrator may do.
func everything() []rbacv1.PolicyRule {
	all := []string{"*"}
	return []rbacv1.PolicyRule{{Verbs: all, APIGroups: all, Resources: all}, {Verbs: all, NonResourceURLs: all}}
}
