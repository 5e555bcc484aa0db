// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package authentication

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"

	"github.com/stoa-project/stoa/apis/authentication"
	"github.com/stoa-project/stoa/registry/kind"
)

// SelfSubjectReviews returns the kind SelfSubjectReview.
func SelfSubjectReviews() kind.Kind {
	return kind.NewReview(kind.Review[authentication.SelfSubjectReview]{
		Kind: "SelfSubjectReview", Plural: "selfsubjectreviews",
		Answer: func(ctx context.Context, _ kind.Server, _ *authentication.SelfSubjectReview) (*authentication.SelfSubjectReview, error) {
			caller, ok := genericapirequest.UserFrom(ctx)
			if !ok {
				return nil, apierrors.NewBadRequest("no user present on request")
			}
			return &authentication.SelfSubjectReview{
				ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(time.Now())},
				Status:     authenticationv1.SelfSubjectReviewStatus{UserInfo: infoOf(caller)},
			}, nil
		},
	})
}

// TokenReviews returns the kind TokenReview.
func TokenReviews() kind.Kind {
	return kind.NewReview(kind.Review[authentication.TokenReview]{
		Kind: "TokenReview", Plural: "tokenreviews",
		Validate: func(_ context.Context, obj *authentication.TokenReview) error {
			if obj.Spec.Token == "" {
				return apierrors.NewBadRequest("token is required for TokenReview in authentication")
			}
			return nil
		},
		Answer: answerToken,
	})
}

// answerToken asks the authenticator about a request that has the token, and nothing
// else.
func answerToken(ctx context.Context, server kind.Server, obj *authentication.TokenReview) (*authentication.TokenReview, error) {
	audiences := authenticator.Audiences(obj.Spec.Audiences)
	if len(audiences) == 0 {
		audiences = server.Audiences
	}
	if len(audiences) > 0 {
		ctx = authenticator.WithAudiences(ctx, audiences)
	}
	bare := (&http.Request{Header: http.Header{"Authorization": {"Bearer " + obj.Spec.Token}}}).WithContext(ctx)
	response, ok, err := server.Authenticator.AuthenticateRequest(bare)
	obj.Status.Authenticated = ok
	if err != nil {
		obj.Status.Error = err.Error()
	}
	if response == nil || response.User == nil {
		return obj, nil
	}
	if len(audiences) > 0 && !slices.ContainsFunc(response.Audiences, func(a string) bool { return slices.Contains(audiences, a) }) {
		return nil, apierrors.NewInternalError(errors.New("error validating audiences"))
	}
	obj.Status.User, obj.Status.Audiences = infoOf(response.User), response.Audiences
	return obj, nil
}

func infoOf(who user.Info) authenticationv1.UserInfo {
	info := authenticationv1.UserInfo{Username: who.GetName(), UID: who.GetUID(), Groups: who.GetGroups()}
	for k, v := range who.GetExtra() {
		if info.Extra == nil {
			info.Extra = map[string]authenticationv1.ExtraValue{}
		}
		info.Extra[k] = v
	}
	return info
}
