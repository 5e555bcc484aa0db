// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package scheduling

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/scheduling"
	"github.com/stoa-project/stoa/apis/scheduling/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// PriorityClasses returns the kind PriorityClass.
func PriorityClasses() kind.Kind {
	doc := schedulingv1.PriorityClass{}.SwaggerDoc()
	return kind.New(kind.Definition[scheduling.PriorityClass]{
		Kind: "PriorityClass", Plural: "priorityclasses", ShortNames: []string{"pc"},
		ClusterScoped:       true,
		UnconditionalUpdate: true, // as in Kubernetes
		Strategy: kind.Strategy[scheduling.PriorityClass]{
			Prepare: func(_ context.Context, obj, old *scheduling.PriorityClass) {
				if old == nil { // as in Kubernetes, it is never counted
					obj.Generation = 1
				}
			},
			Validate: func(_ context.Context, obj *scheduling.PriorityClass) field.ErrorList {
				return validation.ValidatePriorityClass((*schedulingv1.PriorityClass)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *scheduling.PriorityClass) field.ErrorList {
				return validation.ValidatePriorityClassUpdate((*schedulingv1.PriorityClass)(obj), (*schedulingv1.PriorityClass)(old))
			},
		},
		Columns: []kind.Column[scheduling.PriorityClass]{
			kind.Name[scheduling.PriorityClass](),
			{Name: "Value", Type: "integer", Description: doc["value"],
				Value: func(p *scheduling.PriorityClass) any { return p.Value }},
			{Name: "Global-Default", Type: "boolean", Description: doc["globalDefault"],
				Value: func(p *scheduling.PriorityClass) any { return p.GlobalDefault }},
			kind.Age[scheduling.PriorityClass](),
			{Name: "PreemptionPolicy", Description: doc["preemptionPolicy"], Value: func(p *scheduling.PriorityClass) any {
				return string(ptr.Deref(p.PreemptionPolicy, corev1.PreemptLowerPriority))
			}},
		},
		Main: func(r *kind.REST) rest.Storage { return &classREST{r} },
	})
}

// classREST keeps the classes of the system from being deleted.
type classREST struct{ *kind.REST }

// Delete implements rest.GracefulDeleter.
func (r *classREST) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions) (runtime.Object, bool, error) {
	for _, class := range scheduling.SystemClasses() {
		if name == class.Name {
			return nil, false, apierrors.NewForbidden(scheduling.Resource("priorityclasses"), name,
				errors.New("this is a system priority class and cannot be deleted"))
		}
	}
	return r.REST.Delete(ctx, name, validate, options)
}
