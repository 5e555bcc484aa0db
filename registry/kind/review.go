// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
)

// Review describes a resource that is only ever created, and answered in the same
// request: nothing is stored. T is its hub type.
type Review[T any] struct {
	// Kind is the CamelCase name of the type; Plural is the name in the URL.
	Kind, Plural string
	// Namespaced reviews are about a namespace. Unset: they are about all.
	Namespaced bool
	// Validate says what is wrong with a review, as an error for clients. It is
	// called before admission. Nil: nothing can be.
	Validate func(ctx context.Context, obj *T) error
	// Answer returns the review with its answer. It may change obj. Required.
	Answer func(ctx context.Context, server Server, obj *T) (*T, error)
}

// NewReview returns the row of a review. Only T is ever spelled.
func NewReview[T any, PT apiObject[T]](r Review[T]) Kind {
	return Custom(r.Plural, func(_ *runtime.Scheme, server Server) (map[string]rest.Storage, error) {
		return map[string]rest.Storage{r.Plural: &reviewREST[T, PT]{r, server}}, nil
	})
}

type reviewREST[T any, PT apiObject[T]] struct {
	review Review[T]
	server Server
}

var (
	_ rest.Creater              = (*reviewREST[metav1.Status, *metav1.Status])(nil)
	_ rest.Scoper               = (*reviewREST[metav1.Status, *metav1.Status])(nil)
	_ rest.SingularNameProvider = (*reviewREST[metav1.Status, *metav1.Status])(nil)
)

func (r *reviewREST[T, PT]) New() runtime.Object { return PT(new(T)) }

// Destroy does nothing: there is nothing to destroy.
func (r *reviewREST[T, PT]) Destroy() {}

func (r *reviewREST[T, PT]) NamespaceScoped() bool { return r.review.Namespaced }

func (r *reviewREST[T, PT]) GetSingularName() string { return strings.ToLower(r.review.Kind) }

func (r *reviewREST[T, PT]) Create(ctx context.Context, obj runtime.Object, validate rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	typed, ok := obj.(PT)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("not a %s: %#v", r.review.Kind, obj))
	}
	if r.review.Validate != nil {
		if err := r.review.Validate(ctx, (*T)(typed)); err != nil {
			return nil, err
		}
	}
	if validate != nil {
		if err := validate(ctx, obj.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	answer, err := r.review.Answer(ctx, r.server, (*T)(typed))
	if err != nil {
		return nil, err
	}
	return PT(answer), nil
}
