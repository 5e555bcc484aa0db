// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	appsv1 "k8s.io/api/apps/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
)

// ValidateDaemonSet judges a new daemon set.
func ValidateDaemonSet(obj *appsv1.DaemonSet) field.ErrorList {
	return validateDaemonSetSpec(&obj.Spec, corevalidation.PodTemplateOptions(&obj.Spec.Template, nil), metav1validation.LabelSelectorValidationOptions{})
}

// ValidateDaemonSetUpdate judges a changed daemon set.
func ValidateDaemonSetUpdate(obj, old *appsv1.DaemonSet) field.ErrorList {
	opts := corevalidation.PodTemplateOptions(&obj.Spec.Template, &old.Spec.Template)
	errs := validateDaemonSetSpec(&obj.Spec, opts, metav1validation.LabelSelectorValidationOptions{
		AllowInvalidLabelValueInSelector: metav1validation.LabelSelectorHasInvalidLabelValue(old.Spec.Selector),
	})
	return append(errs, validateImmutableSelector(obj.Spec.Selector, old.Spec.Selector)...)
}

func validateDaemonSetSpec(spec *appsv1.DaemonSetSpec, opts corevalidation.PodOptions, selectorOpts metav1validation.LabelSelectorValidationOptions) field.ErrorList {
	path := field.NewPath("spec")
	errs := metav1validation.ValidateLabelSelector(spec.Selector, selectorOpts, path.Child("selector"))
	if parsed, err := metav1.LabelSelectorAsSelector(spec.Selector); err == nil {
		errs = append(errs, validateSelected(parsed, &spec.Template, path.Child("template"))...)
	}
	if apiequality.Semantic.DeepEqual(spec.Selector, &metav1.LabelSelector{}) {
		errs = append(errs, field.Invalid(path.Child("selector"), spec.Selector, "empty selector is invalid for daemonset"))
	}
	errs = append(errs, corevalidation.ValidatePodTemplateSpec(&spec.Template, path.Child("template"), opts)...)
	errs = append(errs, validateEndless(&spec.Template.Spec, "DaemonSet", path.Child("template", "spec"))...)
	errs = append(errs, validateCounts(path, count{"minReadySeconds", int64(spec.MinReadySeconds)})...)
	errs = append(errs, validateDaemonSetStrategy(&spec.UpdateStrategy, path.Child("updateStrategy"))...)
	return append(errs, validateCounts(path, optionalCount("revisionHistoryLimit", spec.RevisionHistoryLimit))...)
}

func validateDaemonSetStrategy(strategy *appsv1.DaemonSetUpdateStrategy, path *field.Path) field.ErrorList {
	rolling := path.Child("rollingUpdate")
	switch strategy.Type {
	case appsv1.OnDeleteDaemonSetStrategyType:
		return nil
	case appsv1.RollingUpdateDaemonSetStrategyType:
		if strategy.RollingUpdate == nil {
			return field.ErrorList{field.Required(rolling, "")}
		}
	default:
		return field.ErrorList{field.NotSupported(path, strategy, []appsv1.DaemonSetUpdateStrategyType{
			appsv1.RollingUpdateDaemonSetStrategyType, appsv1.OnDeleteDaemonSetStrategyType})}
	}
	unavailable, surge := percentage{strategy.RollingUpdate.MaxUnavailable}, percentage{strategy.RollingUpdate.MaxSurge}
	var errs field.ErrorList
	for _, check := range []func(percentage, *field.Path) field.ErrorList{percentage.validate, percentage.validateNotMoreThanAll} {
		errs = append(errs, check(unavailable, rolling.Child("maxUnavailable"))...)
		errs = append(errs, check(surge, rolling.Child("maxSurge"))...)
	}
	// A node either loses its pod before it gets the new one or after that.
	switch {
	case !unavailable.zero() && !surge.zero():
		errs = append(errs, field.Invalid(rolling.Child("maxSurge"), surge.value(), "may not be set when maxUnavailable is non-zero"))
	case unavailable.zero() && surge.zero():
		errs = append(errs, field.Required(rolling.Child("maxUnavailable"), "cannot be 0 when maxSurge is 0"))
	}
	return errs
}

// ValidateDaemonSetStatus judges a changed status.
func ValidateDaemonSetStatus(obj, old *appsv1.DaemonSet) field.ErrorList {
	path, s := field.NewPath("status"), obj.Status
	errs := validateCounts(path,
		count{"currentNumberScheduled", int64(s.CurrentNumberScheduled)},
		count{"numberMisscheduled", int64(s.NumberMisscheduled)},
		count{"desiredNumberScheduled", int64(s.DesiredNumberScheduled)},
		count{"numberReady", int64(s.NumberReady)},
		count{"observedGeneration", s.ObservedGeneration},
		count{"updatedNumberScheduled", int64(s.UpdatedNumberScheduled)},
		count{"numberAvailable", int64(s.NumberAvailable)},
		count{"numberUnavailable", int64(s.NumberUnavailable)},
		optionalCount("collisionCount", s.CollisionCount))
	return append(errs, validateCollisions(path, s.CollisionCount, old.Status.CollisionCount)...)
}
