// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package auditpolicy

import (
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// exposes returns the resources whose secrets are recorded when an ordinary user asks for
// them or sends them.
func exposes(e audit.PolicyRuleEvaluator) []string {
	somebody := &user.DefaultInfo{Name: "somebody", Groups: []string{user.AllAuthenticated}}
	var out []string
	for _, r := range []struct {
		verb, group, resource, subresource string
		least                              auditinternal.Level
	}{
		{"create", "", "secrets", "", auditinternal.LevelRequest},
		{"get", "", "secrets", "", auditinternal.LevelRequestResponse},
		{"create", "", "serviceaccounts", "token", auditinternal.LevelRequestResponse},
		{"create", "authentication.k8s.io", "tokenreviews", "", auditinternal.LevelRequest},
	} {
		attributes := authorizer.AttributesRecord{
			User: somebody, Verb: r.verb, Namespace: "default", Name: "something",
			APIGroup: r.group, APIVersion: "v1", Resource: r.resource, Subresource: r.subresource, ResourceRequest: true,
		}
		if r.resource == "tokenreviews" {
			attributes.Namespace = ""
		}
		if e.EvaluatePolicyRule(attributes).Level.Less(r.least) {
			continue
		}
		name := r.resource
		if r.subresource != "" {
			name += "/" + r.subresource
		}
		if len(out) == 0 || out[len(out)-1] != name {
			out = append(out, name)
		}
	}
	return out
}
