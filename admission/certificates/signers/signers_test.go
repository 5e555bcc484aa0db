// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package signers_test

import (
	"context"
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/admission/certificates/signers"
)

func TestAllowed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		granted string
		want    bool
	}{
		"the signer":         {"example.com/a", true},
		"the domain":         {"example.com/*", true},
		"another signer":     {"example.com/b", false},
		"another domain":     {"example.org/*", false},
		"cannot be said":     {"error", false},
		"said of the domain": {"error, example.com/*", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
				if a.GetVerb() != "sign" || a.GetAPIGroup() != "certificates.k8s.io" || a.GetResource() != "signers" || a.GetUser().GetName() != "jane" {
					t.Errorf("asked about %+v", a)
				}
				switch {
				case a.GetName() == tc.granted, tc.granted == "error, "+a.GetName():
					return authorizer.DecisionAllow, "", nil
				case len(tc.granted) >= 5 && tc.granted[:5] == "error":
					return authorizer.DecisionNoOpinion, "", errors.New("broken")
				}
				return authorizer.DecisionNoOpinion, "", nil
			})
			p := signers.New("Plugin", admission.Update)
			p.SetUnconditionalAuthorizer(rules)
			request := admission.NewAttributesRecord(nil, nil, schema.GroupVersionKind{}, "", "", schema.GroupVersionResource{}, "", admission.Update, nil, false, &user.DefaultInfo{Name: "jane"})
			if got := p.Allowed(t.Context(), request, "sign", "example.com/a"); got != tc.want {
				t.Errorf("allowed: %v, want %v", got, tc.want)
			}
		})
	}
}
