// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/apis/apps/validation"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/podtemplate"
)

// ReplicaSets returns the kind ReplicaSet.
func ReplicaSets() kind.Kind {
	doc, status := appsv1.ReplicaSetSpec{}.SwaggerDoc(), appsv1.ReplicaSetStatus{}.SwaggerDoc()
	return kind.New(kind.Definition[apps.ReplicaSet]{
		Kind: "ReplicaSet", Plural: "replicasets", ShortNames: []string{"rs"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(r *apps.ReplicaSet) *appsv1.ReplicaSetSpec { return &r.Spec }),
		Status:              kind.PartOf(func(r *apps.ReplicaSet) *appsv1.ReplicaSetStatus { return &r.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[apps.ReplicaSet]{
			Prepare: podtemplate.DropDisabled(replicaSetTemplate),
			Validate: func(_ context.Context, obj *apps.ReplicaSet) field.ErrorList {
				return validation.ValidateReplicaSet((*appsv1.ReplicaSet)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *apps.ReplicaSet) field.ErrorList {
				return validation.ValidateReplicaSetUpdate((*appsv1.ReplicaSet)(obj), (*appsv1.ReplicaSet)(old))
			},
			ValidateStatus: func(_ context.Context, obj, _ *apps.ReplicaSet) field.ErrorList {
				return validation.ValidateReplicaSetStatus((*appsv1.ReplicaSet)(obj))
			},
			Warnings: podtemplate.WarningsWithName(replicaSetTemplate),
		},
		Scale: &kind.Scale[apps.ReplicaSet]{
			Replicas:    func(r *apps.ReplicaSet) int32 { return ptr.Deref(r.Spec.Replicas, 0) },
			SetReplicas: func(r *apps.ReplicaSet, n int32) { r.Spec.Replicas = &n },
			Status:      func(r *apps.ReplicaSet) int32 { return r.Status.Replicas },
			Selector:    func(r *apps.ReplicaSet) string { return podtemplate.SelectorText(r.Spec.Selector) },
		},
		Fields: []kind.Field[apps.ReplicaSet]{
			{Path: "status.replicas", Value: func(r *apps.ReplicaSet) string { return strconv.Itoa(int(r.Status.Replicas)) }},
		},
		Columns: slices.Concat([]kind.Column[apps.ReplicaSet]{
			kind.Name[apps.ReplicaSet](),
			{Name: "Desired", Type: "integer", Description: doc["replicas"], Value: func(r *apps.ReplicaSet) any { return ptr.Deref(r.Spec.Replicas, 0) }},
			{Name: "Current", Type: "integer", Description: status["replicas"], Value: func(r *apps.ReplicaSet) any { return r.Status.Replicas }},
			{Name: "Ready", Type: "integer", Description: status["readyReplicas"], Value: func(r *apps.ReplicaSet) any { return r.Status.ReadyReplicas }},
			kind.Age[apps.ReplicaSet](),
		}, podtemplate.Columns(replicaSetTemplate), []kind.Column[apps.ReplicaSet]{
			podtemplate.Selector(doc["selector"], func(r *apps.ReplicaSet) *metav1.LabelSelector { return r.Spec.Selector }),
		}),
	})
}

func replicaSetTemplate(r *apps.ReplicaSet) *corev1.PodTemplateSpec { return &r.Spec.Template }
