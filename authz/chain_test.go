// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package authz_test

import (
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/authorization/authorizerfactory"

	"github.com/stoa-project/stoa/authz"
)

const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n"

// TestParse reads configurations, and names what is wrong with them.
func TestParse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ data, err string }{
		"fine":          {head + "authorizers: [{type: RBAC, name: rbac}]", ""},
		"empty":         {" \n", "is empty"},
		"nobody":        {head, "authorizers: Required value: at least one authorization mode must be defined"},
		"another kind":  {"apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n", "expected AuthorizationConfiguration, got *apiserver.AuthenticationConfiguration"},
		"unknown field": {head + "authorizers: [{type: RBAC, name: rbac, nosuch: 1}]", `strict decoding error: unknown field "authorizers[0].nosuch"`},
		"unknown type":  {head + "authorizers: [{type: Nosuch, name: x}]", `authorizers[0].type: Unsupported value: "Nosuch": supported values: "RBAC", "Webhook"`},
		"same name":     {head + "authorizers: [{type: RBAC, name: x}, {type: RBAC, name: x}]", `authorizers[1].type: Duplicate value: "RBAC"`},
		"no name":       {head + "authorizers: [{type: RBAC}]", "authorizers[0].name: Required value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := authz.Parse([]byte(tc.data), []string{"RBAC"})
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want %s", err, tc.err)
			}
		})
	}
}

// FuzzParse reads anything without panic, and what it accepts has somebody who decides,
// unless it needs files that are not there.
func FuzzParse(f *testing.F) {
	f.Add(head + "authorizers: [{type: RBAC, name: rbac}]")
	f.Add(head + "authorizers:\n- type: Webhook\n  name: x\n  webhook: {timeout: 3s, authorizedTTL: 5m, unauthorizedTTL: 30s, subjectAccessReviewVersion: v1, matchConditionSubjectAccessReviewVersion: v1, failurePolicy: Deny, connectionInfo: {type: KubeConfigFile, kubeConfigFile: /nosuch}, matchConditions: [{expression: \"request.user == 'a'\"}]}\n")
	f.Add(`{"apiVersion":"apiserver.config.k8s.io/v1beta1","kind":"AuthorizationConfiguration","authorizers":[{"type":"RBAC","name":"a:b"}]}`)
	modes := map[string]authz.Mode{"RBAC": authorizerfactory.NewAlwaysDenyAuthorizer()}
	f.Fuzz(func(t *testing.T, data string) {
		c, err := authz.Parse([]byte(data), []string{"RBAC"})
		if err != nil {
			return
		}
		if len(c.Authorizers) == 0 {
			t.Error("accepted, but nobody decides")
		}
		if _, err := authz.NewChain(modes, "", c); err != nil && !strings.Contains(data, "Webhook") {
			t.Errorf("accepted, but: %v", err)
		}
	})
}
