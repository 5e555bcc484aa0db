// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package authorization

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/registry/kind"
)

func TestReview(t *testing.T) {
	t.Parallel()
	selector := func(requirements ...metav1.FieldSelectorRequirement) *authorizationv1.ResourceAttributes {
		return &authorizationv1.ResourceAttributes{Verb: "list", FieldSelector: &authorizationv1.FieldSelectorAttributes{Requirements: requirements}}
	}
	known := metav1.FieldSelectorRequirement{Key: "a", Operator: "NotIn", Values: []string{"b"}}
	for _, tc := range []struct {
		name     string
		decision authorizer.Decision
		err      error
		resource *authorizationv1.ResourceAttributes
		want     authorizationv1.SubjectAccessReviewStatus
	}{
		{"allowed", authorizer.DecisionAllow, nil, selector(known), authorizationv1.SubjectAccessReviewStatus{Allowed: true, Reason: "why"}},
		{"denied", authorizer.DecisionDeny, nil, selector(known), authorizationv1.SubjectAccessReviewStatus{Denied: true, Reason: "why"}},
		{"no opinion, and an error", authorizer.DecisionNoOpinion, errors.New("broken"), selector(metav1.FieldSelectorRequirement{Key: "a", Operator: "Exists"}),
			authorizationv1.SubjectAccessReviewStatus{Reason: "why", EvaluationError: "broken; spec.resourceAttributes.fieldSelector ignored due to parse error"}},
		{"partly understood", authorizer.DecisionAllow, nil, selector(known, metav1.FieldSelectorRequirement{Key: "a", Operator: "In", Values: []string{"b", "c"}}),
			authorizationv1.SubjectAccessReviewStatus{Allowed: true, Reason: "why", EvaluationError: "spec.resourceAttributes.fieldSelector partially ignored due to parse error"}},
		{"bad label selector", authorizer.DecisionAllow, nil,
			&authorizationv1.ResourceAttributes{LabelSelector: &authorizationv1.LabelSelectorAttributes{RawSelector: "a in"}},
			authorizationv1.SubjectAccessReviewStatus{Allowed: true, Reason: "why", EvaluationError: "spec.resourceAttributes.labelSelector ignored due to parse error"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := kind.Server{Authorizer: authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
				if a.GetUser().GetName() != "u" || a.GetAPIVersion() != "*" || !a.IsResourceRequest() {
					t.Errorf("asked about %+v", a)
				}
				return tc.decision, "why", tc.err
			})}
			got := review(t.Context(), server, &user.DefaultInfo{Name: "u"}, tc.resource, nil)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}
