// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateTolerations judges the tolerations of something that becomes part of pods.
func ValidateTolerations(tolerations []corev1.Toleration, path *field.Path) field.ErrorList {
	return validateTolerations(tolerations, path, PodOptions{})
}

func validateTolerations(tolerations []corev1.Toleration, path *field.Path, opts PodOptions) field.ErrorList {
	var errs field.ErrorList
	for i, toleration := range tolerations {
		errs = append(errs, validateToleration(toleration, path.Index(i), opts)...)
	}
	return errs
}

func validateToleration(toleration corev1.Toleration, path *field.Path, opts PodOptions) field.ErrorList {
	var errs field.ErrorList
	operator := path.Child("operator")
	if toleration.Key != "" {
		errs = metav1validation.ValidateLabelName(toleration.Key, path.Child("key")).WithOrigin("format=k8s-label-key").MarkCoveredByDeclarative().MarkAlpha()
	} else if toleration.Operator != corev1.TolerationOpExists {
		errs = append(errs, field.Invalid(operator, toleration.Operator,
			"operator must be Exists when `key` is empty, which means \"match all values and all keys\""))
	}
	if toleration.TolerationSeconds != nil && toleration.Effect != corev1.TaintEffectNoExecute {
		errs = append(errs, field.Invalid(path.Child("effect"), toleration.Effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
	}
	switch toleration.Operator {
	case corev1.TolerationOpEqual, "":
		if texts := validation.IsValidLabelValue(toleration.Value); len(texts) > 0 {
			errs = append(errs, field.Invalid(operator, toleration.Value, strings.Join(texts, ";")))
		}
	case corev1.TolerationOpExists:
		if toleration.Value != "" {
			errs = append(errs, field.Invalid(operator, toleration.Value, "value must be empty when `operator` is 'Exists'"))
		}
	case corev1.TolerationOpLt, corev1.TolerationOpGt:
		if opts.AllowComparisonTolerations {
			errs = append(errs, fielderrors.Each(path.Child("value"), toleration.Value, content.IsDecimalInteger(toleration.Value))...)
			break
		}
		fallthrough
	default:
		supported := []corev1.TolerationOperator{corev1.TolerationOpEqual, corev1.TolerationOpExists}
		if opts.AllowComparisonTolerations {
			supported = append(supported, corev1.TolerationOpLt, corev1.TolerationOpGt)
		}
		errs = append(errs, field.NotSupported(operator, toleration.Operator, supported))
	}
	if toleration.Effect != "" {
		errs = append(errs, ValidateTaintEffect(toleration.Effect, path.Child("effect"))...)
	}
	return errs
}

// ValidateTaintEffect judges the effect of a taint, which must be set.
func ValidateTaintEffect(effect corev1.TaintEffect, path *field.Path) field.ErrorList {
	return fielderrors.RequireOneOf(path, effect, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
}

// validateAddedTolerations judges a change: what was tolerated still must be, though
// perhaps not as long.
func validateAddedTolerations(tolerations, old []corev1.Toleration, path *field.Path, opts PodOptions) field.ErrorList {
	for _, before := range old {
		found := false
		for _, toleration := range tolerations {
			before.TolerationSeconds = toleration.TolerationSeconds
			if apiequality.Semantic.DeepEqual(before, toleration) {
				found = true
				break
			}
		}
		if !found {
			return field.ErrorList{field.Forbidden(path, "existing toleration can not be modified except its tolerationSeconds")}
		}
	}
	return validateTolerations(tolerations, path, opts)
}
