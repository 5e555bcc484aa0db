// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
)

// ValidateDeployment judges a new deployment.
func ValidateDeployment(obj *appsv1.Deployment) field.ErrorList {
	return validateDeploymentSpec(&obj.Spec, corevalidation.PodTemplateOptions(&obj.Spec.Template, nil))
}

// ValidateDeploymentUpdate judges a changed deployment.
func ValidateDeploymentUpdate(obj, old *appsv1.Deployment) field.ErrorList {
	errs := validateDeploymentSpec(&obj.Spec, corevalidation.PodTemplateOptions(&obj.Spec.Template, &old.Spec.Template))
	return append(errs, validateImmutableSelector(obj.Spec.Selector, old.Spec.Selector)...)
}

func validateDeploymentSpec(spec *appsv1.DeploymentSpec, opts corevalidation.PodOptions) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateCounts(path, optionalCount("replicas", spec.Replicas))
	errs = append(errs, validateSelector(spec.Selector, "deployment", path.Child("selector"))...)
	errs = append(errs, validateReplicaTemplate(spec.Selector, &spec.Template, path, opts)...)
	errs = append(errs, validateDeploymentStrategy(&spec.Strategy, path.Child("strategy"))...)
	errs = append(errs, validateCounts(path,
		count{"minReadySeconds", int64(spec.MinReadySeconds)},
		optionalCount("revisionHistoryLimit", spec.RevisionHistoryLimit),
		optionalCount("progressDeadlineSeconds", spec.ProgressDeadlineSeconds))...)
	if deadline := spec.ProgressDeadlineSeconds; deadline != nil && *deadline <= spec.MinReadySeconds {
		errs = append(errs, field.Invalid(path.Child("progressDeadlineSeconds"), deadline, "must be greater than minReadySeconds"))
	}
	return errs
}

func validateDeploymentStrategy(strategy *appsv1.DeploymentStrategy, path *field.Path) field.ErrorList {
	rolling := path.Child("rollingUpdate")
	switch strategy.Type {
	case appsv1.RecreateDeploymentStrategyType:
		if strategy.RollingUpdate != nil {
			return field.ErrorList{field.Forbidden(rolling, "may not be specified when strategy `type` is 'Recreate'")}
		}
		return nil
	case appsv1.RollingUpdateDeploymentStrategyType:
		if strategy.RollingUpdate == nil {
			return field.ErrorList{field.Required(rolling, "this should be defaulted and never be nil")}
		}
	default:
		return field.ErrorList{field.NotSupported(path, strategy, []appsv1.DeploymentStrategyType{
			appsv1.RecreateDeploymentStrategyType, appsv1.RollingUpdateDeploymentStrategyType})}
	}
	unavailable, surge := percentage{strategy.RollingUpdate.MaxUnavailable}, percentage{strategy.RollingUpdate.MaxSurge}
	errs := unavailable.validate(rolling.Child("maxUnavailable"))
	errs = append(errs, surge.validate(rolling.Child("maxSurge"))...)
	if unavailable.zero() && surge.zero() {
		errs = append(errs, field.Invalid(rolling.Child("maxUnavailable"), unavailable.value(), "may not be 0 when `maxSurge` is 0"))
	}
	return append(errs, unavailable.validateNotMoreThanAll(rolling.Child("maxUnavailable"))...)
}

// ValidateDeploymentStatus judges a changed status.
func ValidateDeploymentStatus(obj, old *appsv1.Deployment) field.ErrorList {
	path, s := field.NewPath("status"), obj.Status
	updated, ready, available := count{"updatedReplicas", int64(s.UpdatedReplicas)}, count{"readyReplicas", int64(s.ReadyReplicas)}, count{"availableReplicas", int64(s.AvailableReplicas)}
	errs := validateCounts(path, count{"observedGeneration", s.ObservedGeneration}, count{"replicas", int64(s.Replicas)},
		updated, ready, available, count{"unavailableReplicas", int64(s.UnavailableReplicas)},
		optionalCount("terminatingReplicas", s.TerminatingReplicas), optionalCount("collisionCount", s.CollisionCount))
	errs = append(errs, atMost(path, s.Replicas, "status.replicas", updated, ready, available)...)
	errs = append(errs, atMost(path, s.ReadyReplicas, "readyReplicas", available)...)
	return append(errs, validateCollisions(path, s.CollisionCount, old.Status.CollisionCount)...)
}
