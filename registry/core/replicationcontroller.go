// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/podtemplate"
)

// ReplicationControllers returns the kind ReplicationController.
func ReplicationControllers() kind.Kind {
	doc, status := corev1.ReplicationControllerSpec{}.SwaggerDoc(), corev1.ReplicationControllerStatus{}.SwaggerDoc()
	return kind.New(kind.Definition[core.ReplicationController]{
		Kind: "ReplicationController", Plural: "replicationcontrollers", ShortNames: []string{"rc"}, Categories: []string{"all"},
		Prefix:              "controllers", // as in Kubernetes, here and in the next four
		Spec:                kind.PartOf(func(r *core.ReplicationController) *corev1.ReplicationControllerSpec { return &r.Spec }),
		Status:              kind.PartOf(func(r *core.ReplicationController) *corev1.ReplicationControllerStatus { return &r.Status }),
		StatusMetadata:      true,
		UnconditionalUpdate: true,
		GarbageCollection:   func(context.Context) rest.GarbageCollectionPolicy { return rest.OrphanDependents },
		Strategy: kind.Strategy[core.ReplicationController]{
			Prepare:    podtemplate.DropDisabled(controllerTemplate),
			NameFormat: "k8s-long-name",
			Validate: func(_ context.Context, obj *core.ReplicationController) field.ErrorList {
				return validation.ValidateReplicationController((*corev1.ReplicationController)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.ReplicationController) field.ErrorList {
				return validation.ValidateReplicationControllerUpdate((*corev1.ReplicationController)(obj), (*corev1.ReplicationController)(old))
			},
			ValidateStatus: func(_ context.Context, obj, _ *core.ReplicationController) field.ErrorList {
				return validation.ValidateReplicationControllerStatus((*corev1.ReplicationController)(obj))
			},
			Warnings: func(_ context.Context, obj, old *core.ReplicationController) []string {
				return validation.WarningsOnReplicationController((*corev1.ReplicationController)(obj), (*corev1.ReplicationController)(old))
			},
		},
		Scale: &kind.Scale[core.ReplicationController]{
			Replicas:    func(r *core.ReplicationController) int32 { return ptr.Deref(r.Spec.Replicas, 0) },
			SetReplicas: func(r *core.ReplicationController, n int32) { r.Spec.Replicas = &n },
			Status:      func(r *core.ReplicationController) int32 { return r.Status.Replicas },
			Selector:    func(r *core.ReplicationController) string { return labels.SelectorFromSet(r.Spec.Selector).String() },
		},
		Fields: []kind.Field[core.ReplicationController]{
			{Path: "status.replicas", Value: func(r *core.ReplicationController) string { return strconv.Itoa(int(r.Status.Replicas)) }},
		},
		Columns: slices.Concat([]kind.Column[core.ReplicationController]{
			kind.Name[core.ReplicationController](),
			{Name: "Desired", Type: "integer", Description: doc["replicas"], Value: func(r *core.ReplicationController) any { return ptr.Deref(r.Spec.Replicas, 0) }},
			{Name: "Current", Type: "integer", Description: status["replicas"], Value: func(r *core.ReplicationController) any { return r.Status.Replicas }},
			{Name: "Ready", Type: "integer", Description: status["readyReplicas"], Value: func(r *core.ReplicationController) any { return r.Status.ReadyReplicas }},
			kind.Age[core.ReplicationController](),
		}, podtemplate.Columns(controllerTemplate), []kind.Column[core.ReplicationController]{
			{Name: "Selector", Wide: true, Description: doc["selector"], Value: func(r *core.ReplicationController) any { return labels.FormatLabels(r.Spec.Selector) }},
		}),
	})
}

func controllerTemplate(r *core.ReplicationController) *corev1.PodTemplateSpec {
	return r.Spec.Template
}
