// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package authorization

import (
	"context"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"

	"github.com/stoa-project/stoa/apis/authorization"
	"github.com/stoa-project/stoa/apis/authorization/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// SubjectAccessReviews returns the kind SubjectAccessReview.
func SubjectAccessReviews() kind.Kind {
	return kind.NewReview(kind.Review[authorization.SubjectAccessReview]{
		Kind: "SubjectAccessReview", Plural: "subjectaccessreviews",
		Validate: func(_ context.Context, obj *authorization.SubjectAccessReview) error {
			return invalid("SubjectAccessReview", validation.ValidateSubjectAccessReview((*authorizationv1.SubjectAccessReview)(obj)))
		},
		Answer: func(ctx context.Context, server kind.Server, obj *authorization.SubjectAccessReview) (*authorization.SubjectAccessReview, error) {
			obj.Status = review(ctx, server, subject(&obj.Spec), obj.Spec.ResourceAttributes, obj.Spec.NonResourceAttributes)
			return obj, nil
		},
	})
}

// LocalSubjectAccessReviews returns the kind LocalSubjectAccessReview.
func LocalSubjectAccessReviews() kind.Kind {
	return kind.NewReview(kind.Review[authorization.LocalSubjectAccessReview]{
		Kind: "LocalSubjectAccessReview", Plural: "localsubjectaccessreviews", Namespaced: true,
		Validate: func(ctx context.Context, obj *authorization.LocalSubjectAccessReview) error {
			if err := invalid("LocalSubjectAccessReview", validation.ValidateLocalSubjectAccessReview((*authorizationv1.LocalSubjectAccessReview)(obj))); err != nil {
				return err
			}
			switch namespace := genericapirequest.NamespaceValue(ctx); namespace {
			case "":
				return apierrors.NewBadRequest("namespace is required on this type: " + namespace)
			case obj.Namespace:
				return nil
			default:
				return apierrors.NewBadRequest("spec.resourceAttributes.namespace must match namespace: " + namespace)
			}
		},
		Answer: func(ctx context.Context, server kind.Server, obj *authorization.LocalSubjectAccessReview) (*authorization.LocalSubjectAccessReview, error) {
			obj.Status = review(ctx, server, subject(&obj.Spec), obj.Spec.ResourceAttributes, nil)
			return obj, nil
		},
	})
}

// SelfSubjectAccessReviews returns the kind SelfSubjectAccessReview.
func SelfSubjectAccessReviews() kind.Kind {
	return kind.NewReview(kind.Review[authorization.SelfSubjectAccessReview]{
		Kind: "SelfSubjectAccessReview", Plural: "selfsubjectaccessreviews",
		Validate: func(_ context.Context, obj *authorization.SelfSubjectAccessReview) error {
			return invalid("SelfSubjectAccessReview", validation.ValidateSelfSubjectAccessReview((*authorizationv1.SelfSubjectAccessReview)(obj)))
		},
		Answer: func(ctx context.Context, server kind.Server, obj *authorization.SelfSubjectAccessReview) (*authorization.SelfSubjectAccessReview, error) {
			caller, err := self(ctx)
			if err != nil {
				return nil, err
			}
			obj.Status = review(ctx, server, caller, obj.Spec.ResourceAttributes, obj.Spec.NonResourceAttributes)
			return obj, nil
		},
	})
}

func invalid(kind string, errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(authorization.Kind(kind), "", errs)
}

func self(ctx context.Context) (user.Info, error) {
	caller, ok := genericapirequest.UserFrom(ctx)
	if !ok {
		return nil, apierrors.NewBadRequest("no user present on request")
	}
	return caller, nil
}

// subject is who a review asks about.
func subject(spec *authorizationv1.SubjectAccessReviewSpec) user.Info {
	info := &user.DefaultInfo{Name: spec.User, Groups: spec.Groups, UID: spec.UID, Extra: map[string][]string{}}
	for k, v := range spec.Extra {
		info.Extra[k] = v
	}
	return info
}

// review asks the authorizer of the server.
func review(ctx context.Context, server kind.Server, who user.Info, resource *authorizationv1.ResourceAttributes, path *authorizationv1.NonResourceAttributes) authorizationv1.SubjectAccessReviewStatus {
	attributes := attributesOf(who, resource, path)
	decision, reason, err := server.Authorizer.Authorize(ctx, attributes)
	var problems []string
	if err != nil {
		problems = append(problems, err.Error())
	}
	const at = "spec.resourceAttributes."
	if found, err := attributes.GetFieldSelector(); err != nil {
		problems = append(problems, at+"fieldSelector "+ignored(len(found)))
	}
	if found, err := attributes.GetLabelSelector(); err != nil {
		problems = append(problems, at+"labelSelector "+ignored(len(found)))
	}
	return authorizationv1.SubjectAccessReviewStatus{
		Allowed: decision == authorizer.DecisionAllow, Denied: decision == authorizer.DecisionDeny,
		Reason: reason, EvaluationError: strings.Join(problems, "; "),
	}
}

func ignored(found int) string {
	if found > 0 {
		return "partially ignored due to parse error"
	}
	return "ignored due to parse error"
}
