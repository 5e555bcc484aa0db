// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	rbacinformers "k8s.io/client-go/informers/rbac/v1"
	rbaclisters "k8s.io/client-go/listers/rbac/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/registry/kind"
)

// Authorizer allows what roles allow to those to whom they are bound. It denies
// nothing: what no role allows is for others to decide.
type Authorizer struct {
	authorizer.Authorizer

	index        *index
	roles        rbaclisters.RoleLister
	clusterRoles rbaclisters.ClusterRoleLister
	synced       []func() bool
}

var _ authorizer.RuleResolver = (*Authorizer)(nil)

// New returns an authorizer that learns of roles and bindings from informers, which
// the caller starts. Before they have synced it knows some of them, or none.
func New(informers rbacinformers.Interface) (*Authorizer, error) {
	a := &Authorizer{
		index: newIndex(),
		roles: informers.Roles().Lister(), clusterRoles: informers.ClusterRoles().Lister(),
		synced: []func() bool{informers.Roles().Informer().HasSynced, informers.ClusterRoles().Informer().HasSynced},
	}
	a.Authorizer = authorizer.AuthorizerFunc(a.decide)
	everywhere, err := follow(a.index, informers.ClusterRoleBindings().Informer(), ofClusterRoleBinding)
	if err != nil {
		return nil, fmt.Errorf("informer of cluster role bindings: %w", err)
	}
	local, err := follow(a.index, informers.RoleBindings().Informer(), ofRoleBinding)
	if err != nil {
		return nil, fmt.Errorf("informer of role bindings: %w", err)
	}
	a.synced = append(a.synced, everywhere.HasSynced, local.HasSynced)
	return a, nil
}

// Policy is a list of roles and bindings.
type Policy struct {
	ClusterRoles        []*rbacv1.ClusterRole
	ClusterRoleBindings []*rbacv1.ClusterRoleBinding
	Roles               []*rbacv1.Role
	RoleBindings        []*rbacv1.RoleBinding
}

// NewFixed returns an authorizer that knows nothing but a policy, for as long as it is
// used.
func NewFixed(p Policy) (*Authorizer, error) {
	clusterRoles, roles := cache.NewIndexer(cache.MetaNamespaceKeyFunc, nil), cache.NewIndexer(cache.MetaNamespaceKeyFunc, nil)
	for _, role := range p.ClusterRoles {
		if err := clusterRoles.Add(role); err != nil {
			return nil, fmt.Errorf("cluster role %q: %w", role.Name, err)
		}
	}
	for _, role := range p.Roles {
		if err := roles.Add(role); err != nil {
			return nil, fmt.Errorf("role %q: %w", role.Name, err)
		}
	}
	a := &Authorizer{
		index: newIndex(), roles: rbaclisters.NewRoleLister(roles), clusterRoles: rbaclisters.NewClusterRoleLister(clusterRoles),
	}
	a.Authorizer = authorizer.AuthorizerFunc(a.decide)
	for _, b := range p.ClusterRoleBindings {
		a.index.replace(nil, ofClusterRoleBinding(b))
	}
	for _, b := range p.RoleBindings {
		a.index.replace(nil, ofRoleBinding(b))
	}
	return a, nil
}

// HasSynced says whether all roles and bindings are known that there were when the
// informers started.
func (a *Authorizer) HasSynced() bool {
	for _, synced := range a.synced {
		if !synced() {
			return false
		}
	}
	return true
}

func (a *Authorizer) decide(_ context.Context, request authorizer.Attributes) (authorizer.Decision, string, error) {
	reason, unknown := "", []error(nil)
	a.Visit(request.GetUser(), request.GetNamespace(), func(g *Grant, rules []rbacv1.PolicyRule, err error) bool {
		if err != nil {
			unknown = append(unknown, err)
			return true
		}
		for i := range rules {
			if Allows(&rules[i], request) {
				reason = "RBAC: allowed by " + g.String()
				return false
			}
		}
		return true
	})
	switch {
	case reason != "":
		return authorizer.DecisionAllow, reason, nil
	case len(unknown) > 0:
		return authorizer.DecisionNoOpinion, fmt.Sprintf("RBAC: %v", utilerrors.NewAggregate(unknown)), nil
	default:
		return authorizer.DecisionNoOpinion, "", nil
	}
}

// Visit calls f with each grant that a user has in a namespace, none for what is in
// no namespace, and the rules of its role, or the error why they are not known. It
// ends when f returns false. The rules must not be changed.
func (a *Authorizer) Visit(who user.Info, namespace string, f func(*Grant, []rbacv1.PolicyRule, error) bool) {
	a.index.visit(who, namespace, func(g *Grant) bool {
		rules, err := a.Rules(g.Role, g.Namespace)
		return f(g, rules, err)
	})
}

// Rules returns the rules of the role that a binding in a namespace names; those of
// a cluster role binding are in none. They must not be changed.
func (a *Authorizer) Rules(ref rbacv1.RoleRef, namespace string) ([]rbacv1.PolicyRule, error) {
	switch ref.Kind {
	case "Role":
		role, err := a.roles.Roles(namespace).Get(ref.Name)
		if err != nil {
			return nil, err
		}
		return role.Rules, nil
	case "ClusterRole":
		role, err := a.clusterRoles.Get(ref.Name)
		if err != nil {
			return nil, err
		}
		return role.Rules, nil
	default:
		return nil, fmt.Errorf("unsupported role reference kind: %q", ref.Kind)
	}
}

// Held returns what a user holds in a namespace, role by role. With an error it is what
// is known.
func (a *Authorizer) Held(who user.Info, namespace string) ([]kind.Held, error) {
	type role struct {
		rbacv1.RoleRef

		namespace string
	}
	var all []kind.Held
	var errs []error
	seen := map[role]int{} // where one is that is bound more than once
	a.Visit(who, namespace, func(g *Grant, rules []rbacv1.PolicyRule, err error) bool {
		if err != nil {
			errs = append(errs, err)
			return true
		}
		key := role{g.Role, g.Namespace}
		if at, again := seen[key]; !again {
			seen[key] = len(all)
			all = append(all, kind.Held{Rules: rules, Until: g.Until})
		} else if !all[at].Lasts(g.Until) {
			all[at].Until = g.Until
		}
		return true
	})
	return all, utilerrors.NewAggregate(errs)
}

// RulesFor implements authorizer.RuleResolver.
func (a *Authorizer) RulesFor(_ context.Context, who user.Info, namespace string) ([]authorizer.ResourceRuleInfo, []authorizer.NonResourceRuleInfo, bool, error) {
	held, err := a.Held(who, namespace)
	var resources []authorizer.ResourceRuleInfo
	var paths []authorizer.NonResourceRuleInfo
	for _, r := range kind.RulesOf(held) {
		if len(r.Resources) > 0 {
			resources = append(resources, &authorizer.DefaultResourceRuleInfo{Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames})
		}
		if len(r.NonResourceURLs) > 0 {
			paths = append(paths, &authorizer.DefaultNonResourceRuleInfo{Verbs: r.Verbs, NonResourceURLs: r.NonResourceURLs})
		}
	}
	return resources, paths, false, err
}
