// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package escalation keeps users from giving away what they do not have: as rules of a
// role, or by binding a role. Administrators may give anything away, and so may who has
// the verb "escalate" for a role, or "bind" for binding it. What somebody holds for a time
// counts only for what ends no later: otherwise he would have it for ever.
// See https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping.
package escalation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	rbacvalidation "k8s.io/component-helpers/auth/rbac/validation"

	"github.com/stoa-project/stoa/registry/kind"
)

const (
	verbEscalate = "escalate"
	verbBind     = "bind"
)

// Guard knows roles and who has them.
type Guard struct {
	Authorizer authorizer.Authorizer
	Roles      kind.RoleResolver
	// Until is when what is given away ends; zero: when somebody takes it away.
	Until time.Time
}

// Error says what somebody would give away that he does not hold.
type Error struct{ message string }

// Error implements error.
func (e Error) Error() string { return e.message }

// Bind returns nil if somebody may bind a role in a namespace, an [Error] if he may not,
// and the error of a get if there is no such role.
func (g Guard) Bind(ctx context.Context, who user.Info, namespace string, role rbacv1.RoleRef) error {
	bind := authorizer.AttributesRecord{
		User: who, Verb: verbBind, APIGroup: role.APIGroup, APIVersion: "*", Resource: strings.ToLower(role.Kind) + "s",
		Name: role.Name, Namespace: namespace, ResourceRequest: true,
	}
	if privileged(who) || (role.Kind == "Role" || role.Kind == "ClusterRole") && g.allowed(ctx, bind) {
		return nil
	}
	if !g.Roles.HasSynced() {
		return notSynced()
	}
	rules, err := g.Roles.Rules(role, namespace)
	if err != nil {
		return err
	}
	return g.holds(who, namespace, rules)
}

// Pass returns nil if somebody may pass a role on in a namespace, or rules if role is
// nil, an [Error] if he may not, and the error of a get if there is no such role.
func (g Guard) Pass(ctx context.Context, who user.Info, namespace string, role *rbacv1.RoleRef, rules []rbacv1.PolicyRule) error {
	if role != nil {
		return g.Bind(ctx, who, namespace, *role)
	}
	return g.Write(ctx, who, namespace, "roles", "", rules)
}

// Write returns nil if somebody may write rules into a role, and an [Error] if he may
// not. resource is "roles" or "clusterroles", and name the one in the path of the
// request.
func (g Guard) Write(ctx context.Context, who user.Info, namespace, resource, name string, rules []rbacv1.PolicyRule) error {
	escalate := authorizer.AttributesRecord{
		User: who, Verb: verbEscalate, APIGroup: rbacv1.GroupName, APIVersion: "*", Resource: resource, Name: name, Namespace: namespace, ResourceRequest: true,
	}
	if privileged(who) || g.allowed(ctx, escalate) {
		return nil
	}
	return g.holds(who, namespace, rules)
}

// privileged says whether somebody may do everything, as the server when it calls itself.
func privileged(who user.Info) bool {
	return slices.Contains(who.GetGroups(), user.SystemPrivilegedGroup)
}

// allowed says whether a request is, for long enough. Who cannot be told to be allowed is
// not. What no role allows, and the authorizer does, is for ever.
func (g Guard) allowed(ctx context.Context, request authorizer.AttributesRecord) bool {
	if decision, _, _ := g.Authorizer.Authorize(ctx, request); decision != authorizer.DecisionAllow || !g.Roles.HasSynced() {
		return false
	}
	held, _ := g.Roles.Held(request.User, request.Namespace) // what is not known does not end
	rule := rbacv1.PolicyRule{Verbs: []string{request.Verb}, APIGroups: []string{request.APIGroup}, Resources: []string{request.Resource}}
	if request.Name != "" {
		rule.ResourceNames = []string{request.Name}
	}
	end := endOf(held, []rbacv1.PolicyRule{rule})
	return end == nil || kind.Held{Until: *end}.Lasts(g.Until)
}

// holds returns nil if somebody holds the rules in a namespace, or else an [Error] that
// says what he does not.
func (g Guard) holds(who user.Info, namespace string, rules []rbacv1.PolicyRule) error {
	if !g.Roles.HasSynced() {
		return notSynced()
	}
	held, unknown := g.Roles.Held(who, namespace)
	covered, missing := rbacvalidation.Covers(kind.RulesOf(held), rules)
	if covered {
		if end := *endOf(held, rules); !(kind.Held{Until: end}).Lasts(g.Until) {
			return Error{fmt.Sprintf("user %q holds this only until %s", who.GetName(), end.UTC().Format(time.RFC3339))}
		}
		return nil
	}
	var lines []string
	for _, r := range compact(missing) {
		lines = append(lines, describe(r))
	}
	slices.Sort(lines)
	message := fmt.Sprintf("user %q (groups=%q) is attempting to grant RBAC permissions not currently held:\n%s",
		who.GetName(), who.GetGroups(), strings.Join(slices.Compact(lines), "\n"))
	if unknown != nil {
		message += fmt.Sprintf("; resolution errors: %v", []error{unknown})
	}
	return Error{message}
}

// endOf returns until when all of some rules are held, zero for ever; nil if they are not.
func endOf(held []kind.Held, rules []rbacv1.PolicyRule) *time.Time {
	covers := func(until time.Time) bool {
		lasting := slices.DeleteFunc(slices.Clone(held), func(h kind.Held) bool { return !h.Lasts(until) })
		covered, _ := rbacvalidation.Covers(kind.RulesOf(lasting), rules)
		return covered
	}
	ends := []time.Time{{}}
	for _, h := range held {
		if !h.Until.IsZero() {
			ends = append(ends, h.Until)
		}
	}
	slices.SortFunc(ends[1:], func(a, b time.Time) int { return b.Compare(a) }) // the last one first
	if at := slices.IndexFunc(ends, covers); at >= 0 {
		return &ends[at]
	}
	return nil
}

// notSynced is the error while what somebody holds is not known: he can come again.
func notSynced() error { return apierrors.NewServiceUnavailable("the roles are not known yet") }

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
