// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// PodTemplates returns the kind PodTemplate.
func PodTemplates() kind.Kind {
	template := func(p *core.PodTemplate) *corev1.PodTemplateSpec {
		if p == nil {
			return nil
		}
		return &p.Template
	}
	each := func(p *core.PodTemplate, text func(*corev1.Container) string) string {
		var out []string
		for i := range p.Template.Spec.Containers {
			out = append(out, text(&p.Template.Spec.Containers[i]))
		}
		return strings.Join(out, ",")
	}
	return kind.New(kind.Definition[core.PodTemplate]{
		Kind: "PodTemplate", Plural: "podtemplates",
		Spec:                kind.PartOf(template),
		UnconditionalUpdate: true, // as in Kubernetes
		Strategy: kind.Strategy[core.PodTemplate]{
			Prepare: func(_ context.Context, obj, old *core.PodTemplate) {
				validation.DropDisabledTemplateFields(template(obj), template(old))
			},
			Validate: func(_ context.Context, obj *core.PodTemplate) field.ErrorList {
				return validation.ValidatePodTemplate((*corev1.PodTemplate)(obj), nil)
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.PodTemplate) field.ErrorList {
				return validation.ValidatePodTemplate((*corev1.PodTemplate)(obj), (*corev1.PodTemplate)(old))
			},
			Warnings: func(ctx context.Context, obj, old *core.PodTemplate) []string {
				if old != nil && obj.Generation == old.Generation {
					return nil // nothing new to warn of
				}
				return validation.WarningsForPodTemplate(ctx, field.NewPath("template"), template(obj), template(old))
			},
		},
		Columns: []kind.Column[core.PodTemplate]{
			kind.Name[core.PodTemplate](),
			{Name: "Containers", Description: "Names of each container in the template.",
				Value: func(p *core.PodTemplate) any { return each(p, func(c *corev1.Container) string { return c.Name }) }},
			{Name: "Images", Description: "Images referenced by each container in the template.",
				Value: func(p *core.PodTemplate) any { return each(p, func(c *corev1.Container) string { return c.Image }) }},
			{Name: "Pod Labels", Description: "The labels for the pod template.",
				Value: func(p *core.PodTemplate) any { return labels.FormatLabels(p.Template.Labels) }},
		},
	})
}
