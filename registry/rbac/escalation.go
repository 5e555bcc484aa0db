// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	rbacvalidation "k8s.io/component-helpers/auth/rbac/validation"

	"github.com/stoa-project/stoa/apis/rbac"
	"github.com/stoa-project/stoa/registry/kind"
)

// A user may give away what he has, and no more: as rules of a role, or by binding
// a role. Administrators may give anything away, and so may who has the verb
// "escalate" for a role, or "bind" for binding it.
// See https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping.
const (
	verbEscalate = "escalate"
	verbBind     = "bind"
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
	if !ok || isMaster(caller) || onlyGarbage(obj, old) {
		return nil
	}
	namespace := genericapirequest.NamespaceValue(ctx)
	escalate := authorizer.AttributesRecord{
		User: caller, Verb: verbEscalate, APIGroup: rbac.GroupName, APIVersion: "*", Resource: resource, Namespace: namespace, ResourceRequest: true,
	}
	if info, ok := genericapirequest.RequestInfoFrom(ctx); ok {
		escalate.Name = info.Name // a create has none in its path
	}
	if allowed(ctx, server, escalate) {
		return nil
	}
	if err := confirm(server, caller, namespace, rules); err != nil {
		return apierrors.NewForbidden(rbac.Resource(resource), obj.GetName(), err)
	}
	if aggregates && confirm(server, caller, namespace, everything()) != nil {
		return apierrors.NewForbidden(rbac.Resource(resource), obj.GetName(), errors.New("must have cluster-admin privileges to use the aggregationRule"))
	}
	return nil
}

// permitBinding says whether the caller may write a binding of this role.
func permitBinding(ctx context.Context, server kind.Server, resource string, obj, old object, role rbacv1.RoleRef) error {
	caller, ok := genericapirequest.UserFrom(ctx)
	if !ok || isMaster(caller) || onlyGarbage(obj, old) {
		return nil
	}
	namespace := genericapirequest.NamespaceValue(ctx)
	bind := authorizer.AttributesRecord{
		User: caller, Verb: verbBind, APIGroup: role.APIGroup, APIVersion: "*", Resource: strings.ToLower(role.Kind) + "s",
		Name: role.Name, Namespace: namespace, ResourceRequest: true,
	}
	if (role.Kind == "Role" || role.Kind == "ClusterRole") && allowed(ctx, server, bind) {
		return nil
	}
	rules, err := server.Roles.Rules(role, namespace)
	if err != nil {
		return err
	}
	if err := confirm(server, caller, namespace, rules); err != nil {
		return apierrors.NewForbidden(rbac.Resource(resource), obj.GetName(), err)
	}
	return nil
}

// isMaster says whether a user may do everything. It is how the server calls itself.
func isMaster(who user.Info) bool {
	return slices.Contains(who.GetGroups(), user.SystemPrivilegedGroup)
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

func allowed(ctx context.Context, server kind.Server, request authorizer.AttributesRecord) bool {
	decision, _, _ := server.Authorizer.Authorize(ctx, request) // who cannot be told to be allowed is not
	return decision == authorizer.DecisionAllow
}

// everything is what a cluster administrator may do.
func everything() []rbacv1.PolicyRule {
	all := []string{"*"}
	return []rbacv1.PolicyRule{{Verbs: all, APIGroups: all, Resources: all}, {Verbs: all, NonResourceURLs: all}}
}

// confirm reports what of the rules the caller does not have himself.
func confirm(server kind.Server, caller user.Info, namespace string, rules []rbacv1.PolicyRule) error {
	own, unknown := server.Roles.PolicyRules(caller, namespace)
	covered, missing := rbacvalidation.Covers(own, rules)
	if covered {
		return nil
	}
	var lines []string
	for _, r := range compact(missing) {
		lines = append(lines, describe(r))
	}
	slices.Sort(lines)
	message := fmt.Sprintf("user %q (groups=%q) is attempting to grant RBAC permissions not currently held:\n%s",
		caller.GetName(), caller.GetGroups(), strings.Join(slices.Compact(lines), "\n"))
	if unknown != nil {
		message += fmt.Sprintf("; resolution errors: %v", []error{unknown})
	}
	return errors.New(message)
}

// compact joins rules for one resource that only differ in their verbs.
func compact(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	type target struct{ group, resource, name string }
	var out []rbacv1.PolicyRule
	at := map[target]int{}
	for _, r := range rules {
		if len(r.APIGroups) != 1 || len(r.Resources) != 1 || len(r.ResourceNames) > 1 || len(r.NonResourceURLs) > 0 {
			out = append(out, r)
			continue
		}
		key := target{r.APIGroups[0], r.Resources[0], strings.Join(r.ResourceNames, "")}
		if i, found := at[key]; found {
			out[i].Verbs = slices.Concat(out[i].Verbs, r.Verbs)
			continue
		}
		at[key] = len(out)
		out = append(out, r)
	}
	return out
}

// describe spells out what is set of a rule.
func describe(r rbacv1.PolicyRule) string {
	var parts []string
	for _, part := range []struct {
		name   string
		values []string
	}{
		{"APIGroups", r.APIGroups}, {"Resources", r.Resources}, {"NonResourceURLs", r.NonResourceURLs},
		{"ResourceNames", r.ResourceNames}, {"Verbs", r.Verbs},
	} {
		if len(part.values) > 0 {
			parts = append(parts, fmt.Sprintf("%s:%q", part.name, part.values))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
