// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// ValidateGrant judges a new grant. A time of expiry in the past is no error:
// a client may be slow, or its clock may.
func ValidateGrant(obj *tenancy.Grant) field.ErrorList {
	errs := validateReserved(&obj.ObjectMeta)
	path := field.NewPath("spec")
	if obj.Spec.Subject != tenancy.UnreadSubject("") { // v1alpha1 has a tag for that
		errs = append(errs, validateSubject(obj.Spec.Subject, inAnyNamespace, path.Child("subject"))...)
	}
	if obj.Spec.RoleRef != nil {
		errs = append(errs, validateRoleRef(*obj.Spec.RoleRef, path.Child("roleRef"))...)
	}
	for i, rule := range obj.Spec.Rules {
		errs = append(errs, validateRule(rule, path.Child("rules").Index(i))...)
	}
	if duration := obj.Spec.Duration; duration != nil && duration.Duration <= 0 {
		errs = append(errs, field.Invalid(path.Child("duration"), duration.Duration.String(), "must be greater than 0"))
	}
	return errs
}

// ValidateGrantUpdate judges a changed grant. That subject, roleRef and rules
// do not change is said by tags. The end of a grant can come nearer and never
// move away: only a new grant records who gave the additional time.
func ValidateGrantUpdate(obj, old *tenancy.Grant) field.ErrorList {
	errs := validateExpiryUpdate(&obj.Spec, &old.Spec, field.NewPath("spec"))
	return append(errs, ValidateGrant(obj)...)
}

func validateExpiryUpdate(spec, old *tenancy.GrantSpec, path *field.Path) field.ErrorList {
	const kept = "may not be removed, make a new grant instead"
	var errs field.ErrorList
	switch expiresAt := path.Child("expiresAt"); {
	case old.ExpiresAt == nil:
	case spec.ExpiresAt == nil:
		errs = append(errs, field.Forbidden(expiresAt, kept))
	case spec.ExpiresAt.After(old.ExpiresAt.Time):
		errs = append(errs, field.Invalid(expiresAt, spec.ExpiresAt.UTC().Format(time.RFC3339),
			fmt.Sprintf("must not be later than %s, make a new grant instead", old.ExpiresAt.UTC().Format(time.RFC3339))))
	}
	switch duration := path.Child("duration"); {
	case old.Duration == nil:
	case spec.Duration == nil:
		errs = append(errs, field.Forbidden(duration, kept))
	case spec.Duration.Duration > old.Duration.Duration:
		errs = append(errs, field.Invalid(duration, spec.Duration.Duration.String(),
			fmt.Sprintf("must not be longer than %s, make a new grant instead", old.Duration.Duration)))
	}
	return errs
}

// ValidateGrantStatusUpdate judges a changed status. Who granted, and when the
// grant became active, is written once.
func ValidateGrantStatusUpdate(obj, old *tenancy.Grant) field.ErrorList {
	path := field.NewPath("status")
	errs := validatePhaseUpdate(obj.Status.Phase, old.Status.Phase, path.Child("phase"))
	if !apiequality.Semantic.DeepEqual(obj.Status.GrantedBy, old.Status.GrantedBy) {
		errs = append(errs, field.Forbidden(path.Child("grantedBy"), "is only written by the server, when the grant is made"))
	}
	if at := old.Status.ActivatedAt; at != nil && !at.Equal(obj.Status.ActivatedAt) {
		errs = append(errs, field.Forbidden(path.Child("activatedAt"), "field is immutable once set"))
	}
	if obj.Status.Phase == tenancy.GrantActive && obj.Status.ActivatedAt == nil {
		errs = append(errs, field.Required(path.Child("activatedAt"), "must be set when `phase` is 'Active'"))
	}
	errs = append(errs, validateObservedGeneration(obj.Status.ObservedGeneration, old.Status.ObservedGeneration, path)...)
	return append(errs, metav1validation.ValidateConditions(obj.Status.Conditions, path.Child("conditions"))...)
}

// validatePhaseUpdate allows Pending -> Active -> Expired, and from Pending
// straight to Expired or Refused:
//
//	Pending ──► Active ──► Expired
//	   ├──────────────────────▲
//	   └──► Refused
func validatePhaseUpdate(phase, old tenancy.GrantPhase, path *field.Path) field.ErrorList {
	switch {
	case phase == old, old == "", old == tenancy.GrantPending:
		return nil
	case old == tenancy.GrantActive && phase == tenancy.GrantExpired:
		return nil
	}
	return field.ErrorList{field.Invalid(path, phase, fmt.Sprintf("may not follow '%s'", old))}
}
