// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"slices"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// rules lists what the authorizer that options make allows.
type rules struct{ options *AuthorizationOptions }

// RulesFor implements authorizer.RuleResolver.
func (r rules) RulesFor(_ context.Context, who user.Info, _ string) ([]authorizer.ResourceRuleInfo, []authorizer.NonResourceRuleInfo, bool, error) {
	var resources []authorizer.ResourceRuleInfo
	var paths []authorizer.NonResourceRuleInfo
	allow := func(urls ...string) {
		paths = append(paths, &authorizer.DefaultNonResourceRuleInfo{Verbs: []string{"*"}, NonResourceURLs: urls})
	}
	everything := func() {
		all := []string{"*"}
		resources = append(resources, &authorizer.DefaultResourceRuleInfo{Verbs: all, APIGroups: all, Resources: all})
		allow(all...)
	}
	if slices.Contains(who.GetGroups(), user.SystemPrivilegedGroup) {
		everything()
	}
	modes := r.options.Modes
	if len(modes) == 0 {
		modes = []string{ModeRBAC}
	}
	for _, mode := range modes {
		switch mode {
		case ModeAlwaysAllow:
			everything()
			return resources, paths, false, nil
		case ModeRBAC:
			allow(openPaths...)
			if slices.Contains(who.GetGroups(), user.AllAuthenticated) {
				allow(discoveryPaths...)
			}
		}
	}
	return resources, paths, false, nil
}
