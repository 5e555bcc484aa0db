// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package abac

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// Authorizer allows what one of its policies allows, and leaves the rest to others.
type Authorizer struct {
	authorizer.Authorizer

	policies []policy
}

var _ authorizer.RuleResolver = (*Authorizer)(nil)

func newAuthorizer(policies []policy) *Authorizer {
	a := &Authorizer{policies: policies}
	a.Authorizer = authorizer.AuthorizerFunc(a.decide)
	return a
}

func (a *Authorizer) decide(_ context.Context, request authorizer.Attributes) (authorizer.Decision, string, error) {
	for i := range a.policies {
		if a.policies[i].allows(request) {
			return authorizer.DecisionAllow, "", nil
		}
	}
	return authorizer.DecisionNoOpinion, "No policy matched.", nil
}

func (p *policy) allows(request authorizer.Attributes) bool {
	if !p.isFor(request.GetUser()) || p.Readonly && !request.IsReadOnly() {
		return false
	}
	if !request.IsResourceRequest() {
		prefix, whole := strings.CutSuffix(p.NonResourcePath, wildcard)
		return p.NonResourcePath == request.GetPath() || whole && strings.HasPrefix(request.GetPath(), strings.TrimRight(prefix, wildcard))
	}
	return matches(p.Namespace, request.GetNamespace()) && matches(p.Resource, request.GetResource()) && matches(p.APIGroup, request.GetAPIGroup())
}

func matches(pattern, value string) bool { return pattern == wildcard || pattern == value }

// isFor says whether the user has the name and the group that the policy names. One
// that names neither is for nobody.
func (p *policy) isFor(who user.Info) bool {
	return who != nil && (p.User != "" || p.Group != "") &&
		(p.User == "" || p.User == who.GetName()) &&
		(p.Group == "" || slices.Contains(who.GetGroups(), p.Group))
}

// RulesFor implements authorizer.RuleResolver.
func (a *Authorizer) RulesFor(_ context.Context, who user.Info, namespace string) ([]authorizer.ResourceRuleInfo, []authorizer.NonResourceRuleInfo, bool, error) {
	var resources []authorizer.ResourceRuleInfo
	var paths []authorizer.NonResourceRuleInfo
	for _, p := range a.policies {
		if !p.isFor(who) || !matches(p.Namespace, namespace) {
			continue
		}
		verbs := []string{wildcard}
		if p.Readonly {
			verbs = []string{"get", "list", "watch"}
		}
		if p.Resource != "" {
			resources = append(resources, &authorizer.DefaultResourceRuleInfo{Verbs: verbs, APIGroups: []string{p.APIGroup}, Resources: []string{p.Resource}})
		}
		if p.NonResourcePath != "" {
			paths = append(paths, &authorizer.DefaultNonResourceRuleInfo{Verbs: verbs, NonResourceURLs: []string{p.NonResourcePath}})
		}
	}
	return resources, paths, false, nil
}
