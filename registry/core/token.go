// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/stoa-project/stoa/apis/authentication"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// tokenREST judges requests for the token of a service account. It cannot issue
// any, as the server has no key to sign them with.
type tokenREST struct{ accounts *kind.REST }

var (
	_ rest.NamedCreater             = (*tokenREST)(nil)
	_ rest.GroupVersionKindProvider = (*tokenREST)(nil)
)

func (r *tokenREST) New() runtime.Object { return &authentication.TokenRequest{} }

// Destroy does nothing: the main endpoint destroys the store that both share.
func (r *tokenREST) Destroy() {}

// GroupVersionKind implements rest.GroupVersionKindProvider.
func (r *tokenREST) GroupVersionKind(schema.GroupVersion) schema.GroupVersionKind {
	return authenticationv1.SchemeGroupVersion.WithKind("TokenRequest")
}

// Create implements rest.NamedCreater.
func (r *tokenREST) Create(ctx context.Context, name string, obj runtime.Object, validate rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	request := obj.(*authentication.TokenRequest)
	for _, f := range []struct{ name, value, want string }{
		{"name", request.Name, name},
		{"namespace", request.Namespace, genericapirequest.NamespaceValue(ctx)},
	} {
		if f.value != "" && f.value != f.want {
			what := "must match the service account " + f.name + " if specified"
			return nil, apierrors.NewInvalid(authentication.Kind("TokenRequest"), name,
				field.ErrorList{field.Invalid(field.NewPath("metadata", f.name), f.value, what)})
		}
	}
	if _, err := r.accounts.Get(ctx, name, &metav1.GetOptions{}); err != nil {
		return nil, err
	}
	request.Name, request.Namespace = name, genericapirequest.NamespaceValue(ctx)
	if validate != nil {
		if err := validate(ctx, obj.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	if errs := validation.ValidateTokenRequest((*authenticationv1.TokenRequest)(request)); len(errs) > 0 {
		return nil, apierrors.NewInvalid(authentication.Kind("TokenRequest"), "", errs)
	}
	return nil, &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotImplemented, Reason: metav1.StatusReason("NotImplemented"),
		Message: "this server does not issue tokens: it has no key to sign them with",
	}}
}
