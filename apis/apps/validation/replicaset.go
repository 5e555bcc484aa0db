// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
)

// ValidateReplicaSet judges a new replica set.
func ValidateReplicaSet(obj *appsv1.ReplicaSet) field.ErrorList {
	return validateReplicaSetSpec(&obj.Spec, corevalidation.PodTemplateOptions(&obj.Spec.Template, nil))
}

// ValidateReplicaSetUpdate judges a changed replica set.
func ValidateReplicaSetUpdate(obj, old *appsv1.ReplicaSet) field.ErrorList {
	errs := validateReplicaSetSpec(&obj.Spec, corevalidation.PodTemplateOptions(&obj.Spec.Template, &old.Spec.Template))
	return append(errs, validateImmutableSelector(obj.Spec.Selector, old.Spec.Selector)...)
}

func validateReplicaSetSpec(spec *appsv1.ReplicaSetSpec, opts corevalidation.PodOptions) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateCounts(path, optionalCount("replicas", spec.Replicas), count{"minReadySeconds", int64(spec.MinReadySeconds)})
	// It says "deployment" in Kubernetes too.
	errs = append(errs, validateSelector(spec.Selector, "deployment", path.Child("selector"))...)
	return append(errs, validateReplicaTemplate(spec.Selector, &spec.Template, path, opts)...)
}

// ValidateReplicaSetStatus judges a changed status.
func ValidateReplicaSetStatus(obj *appsv1.ReplicaSet) field.ErrorList {
	path, s := field.NewPath("status"), obj.Status
	labeled, ready, available := count{"fullyLabeledReplicas", int64(s.FullyLabeledReplicas)}, count{"readyReplicas", int64(s.ReadyReplicas)}, count{"availableReplicas", int64(s.AvailableReplicas)}
	errs := validateCounts(path, count{"replicas", int64(s.Replicas)}, labeled, ready, available,
		optionalCount("terminatingReplicas", s.TerminatingReplicas), count{"observedGeneration", s.ObservedGeneration})
	errs = append(errs, atMost(path, s.Replicas, "status.replicas", labeled, ready, available)...)
	return append(errs, atMost(path, s.ReadyReplicas, "readyReplicas", available)...)
}
