// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package authorization

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/stoa-project/stoa/apis/authorization"
	"github.com/stoa-project/stoa/registry/kind"
)

// SelfSubjectRulesReviews returns the kind SelfSubjectRulesReview.
func SelfSubjectRulesReviews() kind.Kind {
	return kind.NewReview(kind.Review[authorization.SelfSubjectRulesReview]{
		Kind: "SelfSubjectRulesReview", Plural: "selfsubjectrulesreviews",
		Validate: func(ctx context.Context, obj *authorization.SelfSubjectRulesReview) error {
			if _, err := self(ctx); err != nil {
				return err
			}
			if obj.Spec.Namespace == "" {
				return apierrors.NewBadRequest("no namespace on request")
			}
			return nil
		},
		Answer: answerRules,
	})
}

// answerRules lists what the caller may do in a namespace. Rules that nobody can
// tell make the answer incomplete.
func answerRules(ctx context.Context, server kind.Server, obj *authorization.SelfSubjectRulesReview) (*authorization.SelfSubjectRulesReview, error) {
	caller, err := self(ctx)
	if err != nil {
		return nil, err
	}
	out := &authorization.SelfSubjectRulesReview{Status: authorizationv1.SubjectRulesReviewStatus{
		ResourceRules: []authorizationv1.ResourceRule{}, NonResourceRules: []authorizationv1.NonResourceRule{},
	}}
	if server.Rules == nil {
		out.Status.Incomplete = true
		return out, nil
	}
	resources, paths, incomplete, err := server.Rules.RulesFor(ctx, caller, obj.Spec.Namespace)
	out.Status.Incomplete = incomplete
	if err != nil {
		out.Status.EvaluationError = err.Error()
	}
	for _, r := range resources {
		out.Status.ResourceRules = append(out.Status.ResourceRules, authorizationv1.ResourceRule{
			Verbs: r.GetVerbs(), APIGroups: r.GetAPIGroups(), Resources: r.GetResources(), ResourceNames: r.GetResourceNames(),
		})
	}
	for _, r := range paths {
		out.Status.NonResourceRules = append(out.Status.NonResourceRules, authorizationv1.NonResourceRule{
			Verbs: r.GetVerbs(), NonResourceURLs: r.GetNonResourceURLs(),
		})
	}
	return out, nil
}
