// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/podtemplate"
)

// PodTemplates returns the kind PodTemplate.
func PodTemplates() kind.Kind {
	template := func(p *core.PodTemplate) *corev1.PodTemplateSpec { return &p.Template }
	columns := podtemplate.Columns(template)
	for i := range columns {
		columns[i].Wide = false
	}
	return kind.New(kind.Definition[core.PodTemplate]{
		Kind: "PodTemplate", Plural: "podtemplates",
		Spec:                kind.PartOf(template),
		UnconditionalUpdate: true, // as in Kubernetes, here and in the next
		ReturnsDeleted:      true,
		Strategy: kind.Strategy[core.PodTemplate]{
			Prepare: podtemplate.DropDisabled(template),
			Validate: func(_ context.Context, obj *core.PodTemplate) field.ErrorList {
				return validation.ValidatePodTemplate((*corev1.PodTemplate)(obj), nil)
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.PodTemplate) field.ErrorList {
				return validation.ValidatePodTemplate((*corev1.PodTemplate)(obj), (*corev1.PodTemplate)(old))
			},
			Warnings: func(_ context.Context, obj, old *core.PodTemplate) []string {
				if old != nil && obj.Generation == old.Generation {
					return nil // nothing new to warn of
				}
				return validation.WarningsForPodTemplate(field.NewPath("template"), template(obj))
			},
		},
		Columns: slices.Concat([]kind.Column[core.PodTemplate]{kind.Name[core.PodTemplate]()}, columns, []kind.Column[core.PodTemplate]{
			{Name: "Pod Labels", Description: "The labels for the pod template.",
				Value: func(p *core.PodTemplate) any { return labels.FormatLabels(p.Template.Labels) }},
		}),
	})
}
