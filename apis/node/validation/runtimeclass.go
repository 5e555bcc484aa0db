// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
)

// ValidateRuntimeClass judges a new class.
func ValidateRuntimeClass(obj *nodev1.RuntimeClass) field.ErrorList {
	path := field.NewPath("handler")
	var errs field.ErrorList
	if obj.Handler == "" {
		errs = append(errs, field.Required(path, ""))
	} else {
		for _, msg := range validation.IsDNS1123Label(obj.Handler) {
			errs = append(errs, field.Invalid(path, obj.Handler, msg).WithOrigin("format=k8s-short-name"))
		}
	}
	errs = errs.MarkCoveredByDeclarative().MarkBeta() // the tags of the type say the same
	if obj.Overhead != nil {
		errs = append(errs, corevalidation.ValidateResourceRequirements(
			&corev1.ResourceRequirements{Limits: obj.Overhead.PodFixed}, field.NewPath("overhead"), corevalidation.PodOptions{})...)
	}
	if obj.Scheduling != nil {
		errs = append(errs, validateScheduling(obj.Scheduling, field.NewPath("scheduling"))...)
	}
	return errs
}

func validateScheduling(s *nodev1.Scheduling, path *field.Path) field.ErrorList {
	errs := metav1validation.ValidateLabels(s.NodeSelector, path.Child("nodeSelector"))
	return append(errs, corevalidation.ValidateTolerations(s.Tolerations, path.Child("tolerations"))...)
}

// ValidateRuntimeClassUpdate judges a changed class, whose handler stays.
func ValidateRuntimeClassUpdate(obj, old *nodev1.RuntimeClass) field.ErrorList {
	errs := ValidateRuntimeClass(obj)
	return append(errs, apivalidation.ValidateImmutableField(obj.Handler, old.Handler, field.NewPath("handler")).
		WithOrigin("immutable").MarkCoveredByDeclarative().MarkBeta()...)
}
