// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/apis/apps/validation"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/podtemplate"
)

// Deployments returns the kind Deployment.
func Deployments() kind.Kind {
	doc := appsv1.DeploymentStatus{}.SwaggerDoc()
	return kind.New(kind.Definition[apps.Deployment]{
		Kind: "Deployment", Plural: "deployments", ShortNames: []string{"deploy"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(d *apps.Deployment) *appsv1.DeploymentSpec { return &d.Spec }),
		Status:              kind.PartOf(func(d *apps.Deployment) *appsv1.DeploymentStatus { return &d.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[apps.Deployment]{
			Prepare: podtemplate.DropDisabled(deploymentTemplate),
			// Annotations are copied to replica sets, so that a change of them is one of
			// what is asked for.
			SpecChanged: func(obj, old *apps.Deployment) bool {
				return !apiequality.Semantic.DeepEqual(obj.Spec, old.Spec) || !apiequality.Semantic.DeepEqual(obj.Annotations, old.Annotations)
			},
			Validate: func(_ context.Context, obj *apps.Deployment) field.ErrorList {
				return validation.ValidateDeployment((*appsv1.Deployment)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *apps.Deployment) field.ErrorList {
				return validation.ValidateDeploymentUpdate((*appsv1.Deployment)(obj), (*appsv1.Deployment)(old))
			},
			PrepareStatus: func(_ context.Context, obj, old *apps.Deployment) { obj.Labels = old.Labels },
			ValidateStatus: func(_ context.Context, obj, old *apps.Deployment) field.ErrorList {
				return validation.ValidateDeploymentStatus((*appsv1.Deployment)(obj), (*appsv1.Deployment)(old))
			},
			Warnings: podtemplate.WarningsWithName(deploymentTemplate),
		},
		Scale: &kind.Scale[apps.Deployment]{
			Replicas:    func(d *apps.Deployment) int32 { return ptr.Deref(d.Spec.Replicas, 0) },
			SetReplicas: func(d *apps.Deployment, n int32) { d.Spec.Replicas = &n },
			Status:      func(d *apps.Deployment) int32 { return d.Status.Replicas },
			Selector:    func(d *apps.Deployment) string { return podtemplate.SelectorText(d.Spec.Selector) },
		},
		Columns: slices.Concat([]kind.Column[apps.Deployment]{
			kind.Name[apps.Deployment](),
			{Name: "Ready", Description: "Number of the pod with ready state", Value: func(d *apps.Deployment) any {
				return fmt.Sprintf("%d/%d", d.Status.ReadyReplicas, ptr.Deref(d.Spec.Replicas, 0))
			}},
			{Name: "Up-to-date", Description: doc["updatedReplicas"], Value: func(d *apps.Deployment) any { return strconv.Itoa(int(d.Status.UpdatedReplicas)) }},
			{Name: "Available", Description: doc["availableReplicas"], Value: func(d *apps.Deployment) any { return strconv.Itoa(int(d.Status.AvailableReplicas)) }},
			kind.Age[apps.Deployment](),
		}, podtemplate.Columns(deploymentTemplate), []kind.Column[apps.Deployment]{
			podtemplate.Selector(appsv1.DeploymentSpec{}.SwaggerDoc()["selector"], func(d *apps.Deployment) *metav1.LabelSelector { return d.Spec.Selector }),
		}),
	})
}

func deploymentTemplate(d *apps.Deployment) *corev1.PodTemplateSpec { return &d.Spec.Template }
