// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"

	resourcev1 "k8s.io/api/resource/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateDeviceTaintRule judges a rule, new or changed.
func ValidateDeviceTaintRule(rule *resourcev1.DeviceTaintRule) field.ErrorList {
	path := field.NewPath("spec")
	var errs field.ErrorList
	if selector := rule.Spec.DeviceSelector; selector != nil {
		at := path.Child("deviceSelector")
		for _, f := range []struct {
			name  string
			value *string
			judge func(string, *field.Path) field.ErrorList
		}{
			{"driver", selector.Driver, validateDriverName},
			{"pool", selector.Pool, validatePoolName},
			{"device", selector.Device, validateLabelName},
		} {
			if f.value != nil {
				errs = append(errs, f.judge(*f.value, at.Child(f.name))...)
			}
		}
	}
	return append(errs, validateTaint(&rule.Spec.Taint, path.Child("taint"))...)
}

// ValidateDeviceTaintRuleStatus judges a changed status.
func ValidateDeviceTaintRuleStatus(rule *resourcev1.DeviceTaintRule) field.ErrorList {
	path, conditions := field.NewPath("status", "conditions"), rule.Status.Conditions
	errs := metav1validation.ValidateConditions(conditions, path)
	if len(conditions) > resourcev1.DeviceTaintRuleStatusMaxConditions {
		errs = append(errs, field.TooMany(path, len(conditions), resourcev1.DeviceTaintRuleStatusMaxConditions))
	}
	return errs
}

func validateTaint(taint *resourcev1.DeviceTaint, path *field.Path) field.ErrorList {
	errs := metav1validation.ValidateLabelName(taint.Key, path.Child("key"))
	return append(errs, fielderrors.Each(path.Child("value"), taint.Value, utilvalidation.IsValidLabelValue(taint.Value))...)
}

func validateTolerations(tolerations []resourcev1.DeviceToleration, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range tolerations {
		value, at := tolerations[i].Value, path.Index(i)
		switch tolerations[i].Operator {
		case resourcev1.DeviceTolerationOpExists:
			if value != "" {
				errs = append(errs, field.Invalid(at.Child("value"), value, "must be empty for operator `Exists`"))
			}
		case resourcev1.DeviceTolerationOpEqual:
			errs = append(errs, fielderrors.Each(at.Child("value"), value, utilvalidation.IsValidLabelValue(value))...)
		}
	}
	return errs
}

// validateBindingConditions judges what must become true before a pod is bound to
// a device, and what says that it will not.
func validateBindingConditions(conditions, failures []string, path *field.Path) field.ErrorList {
	at, atFailures := path.Child("bindingConditions"), path.Child("bindingFailureConditions")
	name := func(name *string, path *field.Path) field.ErrorList {
		return metav1validation.ValidateLabelName(*name, path)
	}
	errs := each(conditions, resourcev1.BindingConditionsMaxSize, at, name)
	errs = append(errs, each(failures, resourcev1.BindingFailureConditionsMaxSize, atFailures, name)...)
	for i, condition := range conditions {
		if slices.Contains(conditions[:i], condition) {
			errs = append(errs, field.Duplicate(at.Index(i), condition))
		}
	}
	for i, condition := range failures {
		if slices.Contains(failures[:i], condition) {
			errs = append(errs, field.Duplicate(atFailures.Index(i), condition))
		}
		if slices.Contains(conditions, condition) {
			errs = append(errs, field.Invalid(atFailures.Index(i), condition, "bindingFailureConditions must not overlap with bindingConditions"))
		}
	}
	switch {
	case len(conditions) == 0 && len(failures) > 0:
		errs = append(errs, field.Invalid(at, conditions, "bindingConditions are required to use bindingFailureConditions"))
	case len(conditions) > 0 && len(failures) == 0:
		errs = append(errs, field.Invalid(atFailures, failures, "bindingFailureConditions are required to use bindingConditions"))
	}
	return errs
}

// validateSkipped refuses to prepare nothing and still clean up.
func validateSkipped(operations []resourcev1.SkipNodeOperation, path *field.Path) field.ErrorList {
	skips := func(operation resourcev1.SkipNodeOperation) bool { return slices.Contains(operations, operation) }
	if skips(resourcev1.SkipNodeOperationNodePrepareResources) && !skips(resourcev1.SkipNodeOperationNodeUnprepareResources) && !skips(resourcev1.SkipNodeOperationAll) {
		return field.ErrorList{field.Invalid(path, operations, "NodePrepareResources cannot be skipped unless NodeUnprepareResources is also skipped")}
	}
	return nil
}
