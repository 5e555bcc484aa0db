// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/apis/apps/validation"
	"github.com/stoa-project/stoa/features"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/podtemplate"
)

// StatefulSets returns the kind StatefulSet.
func StatefulSets() kind.Kind {
	return kind.New(kind.Definition[apps.StatefulSet]{
		Kind: "StatefulSet", Plural: "statefulsets", ShortNames: []string{"sts"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(s *apps.StatefulSet) *appsv1.StatefulSetSpec { return &s.Spec }),
		Status:              kind.PartOf(func(s *apps.StatefulSet) *appsv1.StatefulSetStatus { return &s.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[apps.StatefulSet]{
			// Pods have the name, with a number, as their host name.
			ValidateName: apivalidation.NameIsDNSLabel,
			Prepare: func(ctx context.Context, obj, old *apps.StatefulSet) {
				podtemplate.DropDisabled(statefulSetTemplate)(ctx, obj, old)
				dropMaxUnavailable(obj, old)
			},
			Validate: func(_ context.Context, obj *apps.StatefulSet) field.ErrorList {
				return validation.ValidateStatefulSet((*appsv1.StatefulSet)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *apps.StatefulSet) field.ErrorList {
				return validation.ValidateStatefulSetUpdate((*appsv1.StatefulSet)(obj), (*appsv1.StatefulSet)(old))
			},
			ValidateStatus: func(_ context.Context, obj, old *apps.StatefulSet) field.ErrorList {
				return validation.ValidateStatefulSetStatus((*appsv1.StatefulSet)(obj), (*appsv1.StatefulSet)(old))
			},
			Warnings: func(ctx context.Context, obj, old *apps.StatefulSet) []string {
				out := podtemplate.Warnings(statefulSetTemplate)(ctx, obj, old)
				return append(out, validation.WarningsOnStatefulSet((*appsv1.StatefulSet)(obj))...)
			},
		},
		Scale: &kind.Scale[apps.StatefulSet]{
			Replicas:    func(s *apps.StatefulSet) int32 { return ptr.Deref(s.Spec.Replicas, 0) },
			SetReplicas: func(s *apps.StatefulSet, n int32) { s.Spec.Replicas = &n },
			Status:      func(s *apps.StatefulSet) int32 { return s.Status.Replicas },
			Selector:    func(s *apps.StatefulSet) string { return podtemplate.SelectorText(s.Spec.Selector) },
		},
		Columns: slices.Concat([]kind.Column[apps.StatefulSet]{
			kind.Name[apps.StatefulSet](),
			{Name: "Ready", Description: "Number of the pod with ready state", Value: func(s *apps.StatefulSet) any {
				return fmt.Sprintf("%d/%d", s.Status.ReadyReplicas, ptr.Deref(s.Spec.Replicas, 0))
			}},
			kind.Age[apps.StatefulSet](),
		}, podtemplate.Columns(statefulSetTemplate)),
	})
}

// dropMaxUnavailable clears the field of a feature that is switched off.
func dropMaxUnavailable(obj, old *apps.StatefulSet) {
	uses := func(s *apps.StatefulSet) bool {
		return s != nil && s.Spec.UpdateStrategy.RollingUpdate != nil && s.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable != nil
	}
	if !features.Enabled(features.MaxUnavailableStatefulSet) && uses(obj) && !uses(old) {
		obj.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable = nil
	}
}

func statefulSetTemplate(s *apps.StatefulSet) *corev1.PodTemplateSpec { return &s.Spec.Template }
