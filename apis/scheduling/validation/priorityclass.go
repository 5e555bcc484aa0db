// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
	"github.com/stoa-project/stoa/apis/scheduling"
)

// ValidatePriorityClass judges a new class.
func ValidatePriorityClass(obj *schedulingv1.PriorityClass) field.ErrorList {
	var errs field.ErrorList
	switch {
	case strings.HasPrefix(obj.Name, scheduling.SystemPrefix):
		if why := scheduling.NotSystem(obj); why != "" {
			errs = append(errs, field.Forbidden(field.NewPath("metadata", "name"), fmt.Sprintf(
				"priority class names with '%s' prefix are reserved for system use only. error: %s", scheduling.SystemPrefix, why)))
		}
	case obj.Value > scheduling.HighestUserPriority:
		errs = append(errs, field.Forbidden(field.NewPath("value"), fmt.Sprintf("maximum allowed value of a user defined priority is %v", scheduling.HighestUserPriority)))
	}
	if obj.PreemptionPolicy == nil {
		return errs
	}
	return append(errs, fielderrors.RequireOneOf(field.NewPath("preemptionPolicy"), *obj.PreemptionPolicy,
		corev1.PreemptLowerPriority, corev1.PreemptNever)...)
}

// ValidatePriorityClassUpdate judges a changed class. Pods keep the priority they
// were given, so that of a class stays.
func ValidatePriorityClassUpdate(obj, old *schedulingv1.PriorityClass) field.ErrorList {
	var errs field.ErrorList
	if obj.Value != old.Value {
		errs = append(errs, field.Forbidden(field.NewPath("value"), "may not be changed in an update."))
	}
	return append(errs, apivalidation.ValidateImmutableField(obj.PreemptionPolicy, old.PreemptionPolicy, field.NewPath("preemptionPolicy"))...)
}
