// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// Allows says whether a rule allows a request.
func Allows(rule *rbacv1.PolicyRule, request authorizer.Attributes) bool {
	if !allowsVerb(rule, request) {
		return false
	}
	if !request.IsResourceRequest() {
		return allowsPath(rule, request)
	}
	return allowsGroup(rule, request) && allowsResource(rule, request) && allowsName(rule, request)
}

func allowsVerb(rule *rbacv1.PolicyRule, request authorizer.Attributes) bool {
	return has(rule.Verbs, request.GetVerb(), rbacv1.VerbAll)
}

func allowsGroup(rule *rbacv1.PolicyRule, request authorizer.Attributes) bool {
	return has(rule.APIGroups, request.GetAPIGroup(), rbacv1.APIGroupAll)
}

func allowsResource(rule *rbacv1.PolicyRule, request authorizer.Attributes) bool {
	return slices.ContainsFunc(rule.Resources, func(pattern string) bool {
		return matchesResource(pattern, request.GetResource(), request.GetSubresource())
	})
}

func allowsName(rule *rbacv1.PolicyRule, request authorizer.Attributes) bool {
	return len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, request.GetName())
}

func allowsPath(rule *rbacv1.PolicyRule, request authorizer.Attributes) bool {
	return slices.ContainsFunc(rule.NonResourceURLs, func(pattern string) bool { return matchesPath(pattern, request.GetPath()) })
}

func has(list []string, value, wildcard string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return s == value || s == wildcard })
}

// matchesResource compares "pods", "pods/log", "*/scale" or "*", which stands for
// subresources too.
func matchesResource(pattern, resource, subresource string) bool {
	switch {
	case pattern == rbacv1.ResourceAll:
		return true
	case subresource == "":
		return pattern == resource
	}
	first, second, found := strings.Cut(pattern, "/")
	return found && second == subresource && (first == resource || first == rbacv1.ResourceAll)
}

// matchesPath compares a path with one that may end in "*".
func matchesPath(pattern, path string) bool {
	prefix, found := strings.CutSuffix(pattern, "*")
	if !found {
		return pattern == path
	}
	// Several stars at the end are as good as one, as in Kubernetes.
	return strings.HasPrefix(path, strings.TrimRight(prefix, "*"))
}
