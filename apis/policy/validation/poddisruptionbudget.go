// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	policyv1 "k8s.io/api/policy/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidatePodDisruptionBudget judges a new budget.
func ValidatePodDisruptionBudget(obj *policyv1.PodDisruptionBudget) field.ErrorList {
	return validateBudget(&obj.Spec, metav1validation.LabelSelectorValidationOptions{})
}

// ValidatePodDisruptionBudgetUpdate judges a changed budget, which may keep values of
// labels that older versions took.
func ValidatePodDisruptionBudgetUpdate(obj, old *policyv1.PodDisruptionBudget) field.ErrorList {
	wrong := metav1validation.ValidateLabelSelector(old.Spec.Selector, metav1validation.LabelSelectorValidationOptions{}, nil)
	return validateBudget(&obj.Spec, metav1validation.LabelSelectorValidationOptions{AllowInvalidLabelValueInSelector: len(wrong) > 0})
}

func validateBudget(spec *policyv1.PodDisruptionBudgetSpec, opts metav1validation.LabelSelectorValidationOptions) field.ErrorList {
	path := field.NewPath("spec")
	var errs field.ErrorList
	if spec.MinAvailable != nil && spec.MaxUnavailable != nil {
		errs = append(errs, field.Invalid(path, *spec, "minAvailable and maxUnavailable cannot be both set"))
	}
	errs = append(errs, validateShare(spec.MinAvailable, path.Child("minAvailable"))...)
	errs = append(errs, validateShare(spec.MaxUnavailable, path.Child("maxUnavailable"))...)
	errs = append(errs, metav1validation.ValidateLabelSelector(spec.Selector, opts, path.Child("selector"))...)
	if policy := spec.UnhealthyPodEvictionPolicy; policy != nil {
		errs = append(errs, fielderrors.OneOf(path.Child("unhealthyPodEvictionPolicy"), *policy, policyv1.AlwaysAllow, policyv1.IfHealthyBudget)...)
	}
	return errs
}

// validateShare wants a number or percentage of pods.
func validateShare(share *intstr.IntOrString, path *field.Path) field.ErrorList {
	switch {
	case share == nil:
	case share.Type == intstr.Int:
		return apivalidation.ValidateNonnegativeField(int64(share.IntVal), path)
	case share.Type == intstr.String:
		errs := fielderrors.Each(path, *share, validation.IsValidPercent(share.StrVal))
		percent := 0
		if len(errs) == 0 {
			_, _ = fmt.Sscanf(share.StrVal, "%d%%", &percent)
		}
		if percent > 100 {
			errs = append(errs, field.Invalid(path, *share, "must not be greater than 100%"))
		}
		return errs
	default:
		return field.ErrorList{field.Invalid(path, *share, "must be an integer or percentage (e.g '5%%')")}
	}
	return nil
}

// ValidatePodDisruptionBudgetStatus judges a changed status.
func ValidatePodDisruptionBudgetStatus(obj *policyv1.PodDisruptionBudget) field.ErrorList {
	status, path := &obj.Status, field.NewPath("status")
	errs := metav1validation.ValidateConditions(status.Conditions, path.Child("conditions"))
	for _, count := range []struct {
		name  string
		value int32
	}{
		{"disruptionsAllowed", status.DisruptionsAllowed}, {"currentHealthy", status.CurrentHealthy},
		{"desiredHealthy", status.DesiredHealthy}, {"expectedPods", status.ExpectedPods},
	} {
		errs = append(errs, apivalidation.ValidateNonnegativeField(int64(count.value), path.Child(count.name))...)
	}
	return errs
}
