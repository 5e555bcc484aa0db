// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

const maxPolicyRules = 20

// validateEnum judges a required value of a few.
func validateEnum[T ~string](value T, path *field.Path, allowed ...T) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, fmt.Sprintf("valid values: %q", allowed))}
	}
	return fielderrors.OneOf(path, value, allowed...)
}

func validatePodFailurePolicy(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	rules := spec.PodFailurePolicy.Rules
	if len(rules) > maxPolicyRules {
		errs = append(errs, field.TooMany(path.Child("rules"), len(rules), maxPolicyRules))
	}
	for i := range rules {
		errs = append(errs, validatePodFailureRule(spec, &rules[i], path.Child("rules").Index(i))...)
	}
	return errs
}

func validatePodFailureRule(spec *batchv1.JobSpec, rule *batchv1.PodFailurePolicyRule, path *field.Path) field.ErrorList {
	errs := validateEnum(rule.Action, path.Child("action"), batchv1.PodFailurePolicyActionCount,
		batchv1.PodFailurePolicyActionFailIndex, batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyActionIgnore)
	if rule.Action == batchv1.PodFailurePolicyActionFailIndex && spec.BackoffLimitPerIndex == nil {
		errs = append(errs, field.Invalid(path.Child("action"), rule.Action, "requires the backoffLimitPerIndex to be set"))
	}
	codes, conditions := rule.OnExitCodes != nil, len(rule.OnPodConditions) > 0
	if codes {
		errs = append(errs, validateExitCodes(spec, rule.OnExitCodes, path.Child("onExitCodes"))...)
	}
	if conditions {
		errs = append(errs, validatePodConditions(rule.OnPodConditions, path.Child("onPodConditions"))...)
	}
	switch {
	case codes && conditions:
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "specifying both OnExitCodes and OnPodConditions is not supported"))
	case !codes && !conditions:
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "specifying one of OnExitCodes and OnPodConditions is required"))
	}
	return errs
}

func validatePodConditions(patterns []batchv1.PodFailurePolicyOnPodConditionsPattern, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(patterns) > maxPolicyRules {
		errs = append(errs, field.TooMany(path, len(patterns), maxPolicyRules))
	}
	for i, pattern := range patterns {
		errs = append(errs, metav1validation.ValidateLabelName(string(pattern.Type), path.Index(i).Child("type"))...)
		errs = append(errs, validateEnum(pattern.Status, path.Index(i).Child("status"),
			corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown)...)
	}
	return errs
}

func validateExitCodes(spec *batchv1.JobSpec, codes *batchv1.PodFailurePolicyOnExitCodesRequirement, path *field.Path) field.ErrorList {
	const maxValues = 255
	errs := validateEnum(codes.Operator, path.Child("operator"), batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyOnExitCodesOpNotIn)
	named := func(c corev1.Container) bool { return c.Name == *codes.ContainerName }
	if codes.ContainerName != nil && !slices.ContainsFunc(spec.Template.Spec.Containers, named) && !slices.ContainsFunc(spec.Template.Spec.InitContainers, named) {
		errs = append(errs, field.Invalid(path.Child("containerName"), *codes.ContainerName, "must be one of the container or initContainer names in the pod template"))
	}
	path = path.Child("values")
	switch {
	case len(codes.Values) == 0:
		errs = append(errs, field.Invalid(path, codes.Values, "at least one value is required"))
	case len(codes.Values) > maxValues:
		errs = append(errs, field.TooMany(path, len(codes.Values), maxValues))
	}
	for i, value := range codes.Values {
		if value == 0 && codes.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn {
			errs = append(errs, field.Invalid(path.Index(i), value, "must not be 0 for the In operator"))
		}
		if slices.Contains(codes.Values[:i], value) {
			errs = append(errs, field.Duplicate(path.Index(i), value))
		}
	}
	if !slices.IsSorted(codes.Values) {
		errs = append(errs, field.Invalid(path, codes.Values, "must be ordered"))
	}
	return errs
}

func validateSuccessPolicy(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	if !indexed(spec) {
		return field.ErrorList{field.Invalid(path, *spec.SuccessPolicy, "requires indexed completion mode")}
	}
	var errs field.ErrorList
	rules := spec.SuccessPolicy.Rules
	path = path.Child("rules")
	if len(rules) == 0 {
		errs = append(errs, field.Required(path, "at least one rules must be specified when the successPolicy is specified"))
	}
	if len(rules) > maxPolicyRules {
		errs = append(errs, field.TooMany(path, len(rules), maxPolicyRules))
	}
	for i := range rules {
		errs = append(errs, validateSuccessRule(&rules[i], ptr.Deref(spec.Completions, 0), path.Index(i))...)
	}
	return errs
}

func validateSuccessRule(rule *batchv1.SuccessPolicyRule, completions int32, path *field.Path) field.ErrorList {
	const maxLength = 64 * 1024
	if rule.SucceededCount == nil && rule.SucceededIndexes == nil {
		return field.ErrorList{field.Required(path, "at least one of succeededCount or succeededIndexes must be specified")}
	}
	var errs field.ErrorList
	var total int32
	if indexes := rule.SucceededIndexes; indexes != nil {
		at := path.Child("succeededIndexes")
		if len(*indexes) > maxLength {
			errs = append(errs, field.TooLong(at, "" /* not printed */, maxLength))
		}
		var err error
		if total, err = countIndexes(*indexes, completions); err != nil {
			errs = append(errs, field.Invalid(at, *indexes, "error parsing succeededIndexes: "+err.Error()))
		}
	}
	if rule.SucceededCount == nil {
		return errs
	}
	wanted, at := *rule.SucceededCount, path.Child("succeededCount")
	errs = append(errs, validateCounts(path, count{"succeededCount", widen(&wanted)})...)
	if wanted > completions {
		errs = append(errs, field.Invalid(at, wanted, fmt.Sprintf("must be less than or equal to %d (the number of specified completions)", completions)))
	}
	if rule.SucceededIndexes != nil && wanted > total {
		errs = append(errs, field.Invalid(at, wanted, fmt.Sprintf("must be less than or equal to %d (the number of indexes in the specified succeededIndexes field)", total)))
	}
	return errs
}
