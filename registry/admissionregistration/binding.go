// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/registry/kind"
)

// bindingRules are what the two kinds of bindings of policies differ in.
type bindingRules[T any] struct {
	validate func(binding *T) field.ErrorList
	// refers returns the name of a binding, and what it says of parameters.
	refers func(binding *T) (string, reference)
	// verb is what somebody must be allowed to do with parameters.
	verb   func(ref *admissionregistrationv1.ParamRef) string
	kindOf func(ctx context.Context, client kubernetes.Interface, policy string) (*admissionregistrationv1.ParamKind, error)
}

func (r bindingRules[T]) strategyFor(server kind.Server) (kind.Strategy[T], error) { //nolint:unparam // as kind.Definition wants it
	params := newParameters(server)
	kindOf := func(ctx context.Context, policy string) (*admissionregistrationv1.ParamKind, error) {
		client, err := params.client()
		if err != nil {
			return nil, err
		}
		return r.kindOf(ctx, client, policy)
	}
	check := func(ctx context.Context, obj, old *T) field.ErrorList {
		errs := r.validate(obj)
		name, of := r.refers(obj)
		before := reference{}
		if old == nil {
			errs = append(errs, notStatic(name)...)
		} else {
			_, before = r.refers(old)
		}
		if len(errs) > 0 {
			return errs
		}
		return params.mayRefer(ctx, of, before, r.verb(of.to), kindOf)
	}
	return kind.Strategy[T]{
		Validate:       func(ctx context.Context, obj *T) field.ErrorList { return check(ctx, obj, nil) },
		ValidateUpdate: check,
		Warnings: func(_ context.Context, obj, old *T) []string {
			name, _ := r.refers(obj)
			return warnOfStatic(name, old == nil)
		},
	}, nil
}

// verbFor is what somebody must be allowed to do with parameters: to get one, or to list
// those that are selected.
func verbFor(ref *admissionregistrationv1.ParamRef) string {
	if ref != nil && ref.Name == "" {
		return "list"
	}
	return "get"
}

// paramRef says where the parameters of a binding are.
func paramRef(ref *admissionregistrationv1.ParamRef) any {
	switch {
	case ref == nil || ref.Name == "" && ref.Selector == nil:
		return "<unset>"
	case ref.Name == "":
		return ref.Selector.String()
	case ref.Namespace == "":
		return "*/" + ref.Name
	}
	return ref.Namespace + "/" + ref.Name
}
