// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
	"github.com/stoa-project/stoa/features"
)

// ScalesToZero says whether a minimum of no pods is allowed; old is nil on create.
func ScalesToZero(old *autoscalingv2.HorizontalPodAutoscaler) bool {
	return features.Enabled(features.HPAScaleToZero) ||
		old != nil && ptr.Equal(old.Spec.MinReplicas, ptr.To[int32](0))
}

// ValidateHorizontalPodAutoscaler judges a new autoscaler.
func ValidateHorizontalPodAutoscaler(obj *autoscalingv2.HorizontalPodAutoscaler) field.ErrorList {
	return validateSpec(&obj.Spec, nil, ScalesToZero(nil))
}

// ValidateHorizontalPodAutoscalerUpdate judges a changed autoscaler.
func ValidateHorizontalPodAutoscalerUpdate(obj, old *autoscalingv2.HorizontalPodAutoscaler) field.ErrorList {
	return validateSpec(&obj.Spec, &old.Spec, ScalesToZero(old))
}

// ValidateHorizontalPodAutoscalerStatus judges a changed status.
func ValidateHorizontalPodAutoscalerStatus(obj *autoscalingv2.HorizontalPodAutoscaler) field.ErrorList {
	errs := apivalidation.ValidateNonnegativeField(int64(obj.Status.CurrentReplicas), field.NewPath("status", "currentReplicas"))
	return append(errs, apivalidation.ValidateNonnegativeField(int64(obj.Status.DesiredReplicas), field.NewPath("status", "desiredReplicas"))...)
}

func validateSpec(spec, old *autoscalingv2.HorizontalPodAutoscalerSpec, toZero bool) field.ErrorList {
	path := field.NewPath("spec")
	var errs field.ErrorList
	lowest := int32(1)
	if toZero {
		lowest = 0
	}
	// The tags of the served types have the bounds too.
	if minimum := spec.MinReplicas; minimum != nil && *minimum < lowest {
		errs = append(errs, field.Invalid(path.Child("minReplicas"), *minimum,
			fmt.Sprintf("must be greater than or equal to %d", lowest)).WithOrigin("minimum").MarkCoveredByDeclarative().MarkBeta())
	}
	switch {
	case spec.MaxReplicas == 0:
		errs = append(errs, field.Required(path.Child("maxReplicas"), "").MarkCoveredByDeclarative().MarkBeta())
	case spec.MaxReplicas < 1:
		errs = append(errs, field.Invalid(path.Child("maxReplicas"), spec.MaxReplicas,
			"must be greater than or equal to 1").WithOrigin("minimum").MarkCoveredByDeclarative().MarkBeta())
	}
	if spec.MinReplicas != nil && spec.MaxReplicas < *spec.MinReplicas {
		errs = append(errs, field.Invalid(path.Child("maxReplicas"), spec.MaxReplicas, "must be greater than or equal to `minReplicas`"))
	}
	unchanged := old != nil && old.ScaleTargetRef.Kind == spec.ScaleTargetRef.Kind && old.ScaleTargetRef.APIVersion == spec.ScaleTargetRef.APIVersion
	errs = append(errs, validateReference(spec.ScaleTargetRef, referenceRules{
		anyVersion: unchanged,
		// The only scalable kind of the core group, whose version has no group.
		coreGroup: spec.ScaleTargetRef.Kind == "ReplicationController",
	}, path.Child("scaleTargetRef"))...)
	errs = append(errs, validateMetrics(spec, old, path.Child("metrics"))...)
	if spec.Behavior != nil {
		errs = append(errs, validateRules(spec.Behavior.ScaleUp, path.Child("behavior", "scaleUp"))...)
		errs = append(errs, validateRules(spec.Behavior.ScaleDown, path.Child("behavior", "scaleDown"))...)
	}
	return errs
}

// referenceRules loosens what is asked of the version in a reference.
type referenceRules struct{ anyVersion, coreGroup bool }

func validateReference(ref autoscalingv2.CrossVersionObjectReference, rules referenceRules, path *field.Path) field.ErrorList {
	errs := validateSegment(ref.Kind, "", path.Child("kind"))
	errs = append(errs, validateSegment(ref.Name, "", path.Child("name"))...)
	if rules.anyVersion {
		return errs
	}
	switch gv, err := schema.ParseGroupVersion(ref.APIVersion); {
	case err != nil:
		errs = append(errs, field.Invalid(path.Child("apiVersion"), ref.APIVersion, err.Error()))
	case gv.Group == "" && !rules.coreGroup:
		errs = append(errs, field.Invalid(path.Child("apiVersion"), ref.APIVersion, "apiVersion must specify API group"))
	}
	return errs
}

// validateSegment judges a required name that becomes an element of a URL.
func validateSegment(name, required string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, required)}
	}
	return fielderrors.Each(path, name, content.IsPathSegmentName(name))
}

func validateRules(rules *autoscalingv2.HPAScalingRules, path *field.Path) field.ErrorList {
	const maxWindow = 3600 // an hour
	if rules == nil {
		return nil
	}
	var errs field.ErrorList
	if window := rules.StabilizationWindowSeconds; window != nil {
		if *window < 0 {
			errs = append(errs, field.Invalid(path.Child("stabilizationWindowSeconds"), window, "must be greater than or equal to zero"))
		}
		if *window > maxWindow {
			errs = append(errs, field.Invalid(path.Child("stabilizationWindowSeconds"), window, fmt.Sprintf("must be less than or equal to %d", maxWindow)))
		}
	}
	if selected := rules.SelectPolicy; selected != nil {
		errs = append(errs, fielderrors.OneOf(path.Child("selectPolicy"), *selected,
			autoscalingv2.DisabledPolicySelect, autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect)...)
	}
	policies := path.Child("policies")
	if len(rules.Policies) == 0 {
		errs = append(errs, field.Required(policies, "must specify at least one Policy"))
	}
	for i, policy := range rules.Policies {
		errs = append(errs, validatePolicy(policy, policies.Index(i))...)
	}
	if rules.Tolerance != nil {
		errs = append(errs, corevalidation.ValidateNonnegativeQuantity(*rules.Tolerance, path.Child("tolerance"))...)
	}
	return errs
}

func validatePolicy(policy autoscalingv2.HPAScalingPolicy, path *field.Path) field.ErrorList {
	const maxPeriod = 1800 // half an hour
	errs := fielderrors.OneOf(path.Child("type"), policy.Type, autoscalingv2.PercentScalingPolicy, autoscalingv2.PodsScalingPolicy)
	if policy.Value <= 0 {
		errs = append(errs, field.Invalid(path.Child("value"), policy.Value, "must be greater than zero"))
	}
	if policy.PeriodSeconds <= 0 {
		errs = append(errs, field.Invalid(path.Child("periodSeconds"), policy.PeriodSeconds, "must be greater than zero"))
	}
	if policy.PeriodSeconds > maxPeriod {
		errs = append(errs, field.Invalid(path.Child("periodSeconds"), policy.PeriodSeconds, fmt.Sprintf("must be less than or equal to %d", maxPeriod)))
	}
	return errs
}
