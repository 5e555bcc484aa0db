// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"maps"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/apis/apps/validation"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/podtemplate"
)

// DaemonSets returns the kind DaemonSet.
func DaemonSets() kind.Kind {
	return kind.New(kind.Definition[apps.DaemonSet]{
		Kind: "DaemonSet", Plural: "daemonsets", ShortNames: []string{"ds"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(d *apps.DaemonSet) *appsv1.DaemonSetSpec { return &d.Spec }),
		Status:              kind.PartOf(func(d *apps.DaemonSet) *appsv1.DaemonSetStatus { return &d.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[apps.DaemonSet]{
			Prepare: func(ctx context.Context, obj, old *apps.DaemonSet) {
				podtemplate.DropDisabled(daemonSetTemplate)(ctx, obj, old)
				countTemplates(obj, old)
			},
			Validate: func(_ context.Context, obj *apps.DaemonSet) field.ErrorList {
				return validation.ValidateDaemonSet((*appsv1.DaemonSet)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *apps.DaemonSet) field.ErrorList {
				return validation.ValidateDaemonSetUpdate((*appsv1.DaemonSet)(obj), (*appsv1.DaemonSet)(old))
			},
			ValidateStatus: func(_ context.Context, obj, old *apps.DaemonSet) field.ErrorList {
				return validation.ValidateDaemonSetStatus((*appsv1.DaemonSet)(obj), (*appsv1.DaemonSet)(old))
			},
			Warnings: podtemplate.Warnings(daemonSetTemplate),
		},
		Columns: daemonSetColumns(),
	})
}

// countTemplates counts the changes of the template. The count was a field of the
// spec once, and old clients still read it.
func countTemplates(obj, old *apps.DaemonSet) {
	read := func(d *apps.DaemonSet) int64 {
		n, _ := strconv.ParseInt(d.Annotations[appsv1.DeprecatedTemplateGeneration], 10, 64) // 0 if there is none; it was read before
		return n
	}
	n := max(read(obj), 1)
	if old != nil {
		if n = read(old); !apiequality.Semantic.DeepEqual(obj.Spec.Template, old.Spec.Template) {
			n++
		}
	}
	obj.Annotations = maps.Clone(obj.Annotations)
	metav1.SetMetaDataAnnotation(&obj.ObjectMeta, appsv1.DeprecatedTemplateGeneration, strconv.FormatInt(n, 10))
}

func daemonSetColumns() []kind.Column[apps.DaemonSet] {
	doc := appsv1.DaemonSetStatus{}.SwaggerDoc()
	return slices.Concat([]kind.Column[apps.DaemonSet]{
		kind.Name[apps.DaemonSet](),
		{Name: "Desired", Type: "integer", Description: doc["desiredNumberScheduled"], Value: func(d *apps.DaemonSet) any { return d.Status.DesiredNumberScheduled }},
		{Name: "Current", Type: "integer", Description: doc["currentNumberScheduled"], Value: func(d *apps.DaemonSet) any { return d.Status.CurrentNumberScheduled }},
		{Name: "Ready", Type: "integer", Description: doc["numberReady"], Value: func(d *apps.DaemonSet) any { return d.Status.NumberReady }},
		{Name: "Up-to-date", Type: "integer", Description: doc["updatedNumberScheduled"], Value: func(d *apps.DaemonSet) any { return d.Status.UpdatedNumberScheduled }},
		{Name: "Available", Type: "integer", Description: doc["numberAvailable"], Value: func(d *apps.DaemonSet) any { return d.Status.NumberAvailable }},
		{Name: "Node Selector", Description: corev1.PodSpec{}.SwaggerDoc()["nodeSelector"],
			Value: func(d *apps.DaemonSet) any { return labels.FormatLabels(d.Spec.Template.Spec.NodeSelector) }},
		kind.Age[apps.DaemonSet](),
	}, podtemplate.Columns(daemonSetTemplate), []kind.Column[apps.DaemonSet]{
		podtemplate.Selector(appsv1.DaemonSetSpec{}.SwaggerDoc()["selector"], func(d *apps.DaemonSet) *metav1.LabelSelector { return d.Spec.Selector }),
	})
}

func daemonSetTemplate(d *apps.DaemonSet) *corev1.PodTemplateSpec { return &d.Spec.Template }
