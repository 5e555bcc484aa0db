// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package podtemplate

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// Columns returns what kubectl get -o wide shows of a template, which may be nil.
func Columns[T any](template func(*T) *corev1.PodTemplateSpec) []kind.Column[T] {
	cell := func(part func(corev1.Container) string) func(*T) any {
		return func(obj *T) any {
			var parts []string
			if t := template(obj); t != nil {
				for _, c := range t.Spec.Containers {
					parts = append(parts, part(c))
				}
			}
			return strings.Join(parts, ",")
		}
	}
	return []kind.Column[T]{
		{Name: "Containers", Wide: true, Description: "Names of each container in the template.",
			Value: cell(func(c corev1.Container) string { return c.Name })},
		{Name: "Images", Wide: true, Description: "Images referenced by each container in the template.",
			Value: cell(func(c corev1.Container) string { return c.Image })},
	}
}

// Selector returns the column of a label selector.
func Selector[T any](description string, selector func(*T) *metav1.LabelSelector) kind.Column[T] {
	return kind.Column[T]{Name: "Selector", Wide: true, Description: description,
		Value: func(obj *T) any { return metav1.FormatLabelSelector(selector(obj)) }}
}

// SelectorText is a label selector as /scale shows it. One that does not parse
// cannot be stored.
func SelectorText(selector *metav1.LabelSelector) string {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return ""
	}
	return parsed.String()
}

// DropDisabled returns a Prepare that clears the fields of features that are
// switched off.
func DropDisabled[T any](template func(*T) *corev1.PodTemplateSpec) func(context.Context, *T, *T) {
	return func(_ context.Context, obj, old *T) {
		var before *corev1.PodTemplateSpec
		if old != nil {
			before = template(old)
		}
		corevalidation.DropDisabledTemplateFields(template(obj), before)
	}
}

// Warnings returns a Warnings about the template of an object that is new, or whose
// generation a change has moved.
func Warnings[T any](template func(*T) *corev1.PodTemplateSpec) func(context.Context, *T, *T) []string {
	return func(_ context.Context, obj, old *T) []string {
		if old != nil && meta(obj).GetGeneration() == meta(old).GetGeneration() {
			return nil
		}
		return corevalidation.WarningsForPodTemplate(field.NewPath("spec", "template"), template(obj))
	}
}

// WarningsWithName returns Warnings for a kind with whose names those of pods begin.
func WarningsWithName[T any](template func(*T) *corev1.PodTemplateSpec) func(context.Context, *T, *T) []string {
	ofTemplate := Warnings(template)
	return func(ctx context.Context, obj, old *T) []string {
		out := ofTemplate(ctx, obj, old)
		if old != nil {
			return out
		}
		return append(corevalidation.WarningsForPodOwner(meta(obj).GetName()), out...)
	}
}

func meta[T any](obj *T) metav1.Object { return any(obj).(metav1.Object) }
