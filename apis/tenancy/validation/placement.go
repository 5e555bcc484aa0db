// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
	"github.com/stoa-project/stoa/apis/tenancy"
)

func validatePlacement(placement *tenancy.Placement, path *field.Path) field.ErrorList {
	errs := metav1validation.ValidateLabels(placement.NodeSelector, path.Child("nodeSelector"))
	tolerations := path.Child("tolerations")
	if len(placement.Tolerations) > maxTolerations {
		return append(errs, field.TooMany(tolerations, len(placement.Tolerations), maxTolerations))
	}
	for i, toleration := range placement.Tolerations {
		errs = append(errs, validateToleration(toleration, tolerations.Index(i))...)
	}
	return errs
}

// validateToleration judges a toleration as a pod would.
func validateToleration(toleration corev1.Toleration, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if toleration.Key != "" {
		errs = append(errs, metav1validation.ValidateLabelName(toleration.Key, path.Child("key"))...)
	} else if toleration.Operator != corev1.TolerationOpExists {
		errs = append(errs, field.Invalid(path.Child("operator"), toleration.Operator,
			"operator must be Exists when `key` is empty, which means \"match all values and all keys\""))
	}
	if toleration.TolerationSeconds != nil && toleration.Effect != corev1.TaintEffectNoExecute {
		errs = append(errs, field.Invalid(path.Child("effect"), toleration.Effect,
			"effect must be 'NoExecute' when `tolerationSeconds` is set"))
	}
	switch toleration.Operator {
	case corev1.TolerationOpEqual, "":
		errs = append(errs, fielderrors.Each(path.Child("value"), toleration.Value, content.IsLabelValue(toleration.Value))...)
	case corev1.TolerationOpExists:
		if toleration.Value != "" {
			errs = append(errs, field.Invalid(path.Child("value"), toleration.Value, "value must be empty when `operator` is 'Exists'"))
		}
	default:
		errs = append(errs, field.NotSupported(path.Child("operator"), toleration.Operator,
			[]corev1.TolerationOperator{corev1.TolerationOpEqual, corev1.TolerationOpExists}))
	}
	if toleration.Effect != "" {
		errs = append(errs, fielderrors.OneOf(path.Child("effect"), toleration.Effect,
			corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)...)
	}
	return errs
}
