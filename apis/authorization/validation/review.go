// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/hubtext"
)

// ValidateSubjectAccessReview judges a review of what somebody may do.
func ValidateSubjectAccessReview(obj *authorizationv1.SubjectAccessReview) field.ErrorList {
	return append(validateSubject(&obj.Spec), validateMetadata(obj.ObjectMeta, "must be empty")...)
}

// ValidateSelfSubjectAccessReview judges a review of what the caller may do.
func ValidateSelfSubjectAccessReview(obj *authorizationv1.SelfSubjectAccessReview) field.ErrorList {
	return append(validateRequest(obj.Spec.ResourceAttributes, obj.Spec.NonResourceAttributes), validateMetadata(obj.ObjectMeta, "must be empty")...)
}

// ValidateLocalSubjectAccessReview judges a review of what somebody may do in the
// namespace of the review.
func ValidateLocalSubjectAccessReview(obj *authorizationv1.LocalSubjectAccessReview) field.ErrorList {
	meta := obj.ObjectMeta
	meta.Namespace = ""
	errs := append(validateSubject(&obj.Spec), validateMetadata(meta, "must be empty except for namespace")...)
	spec := field.NewPath("spec")
	if a := obj.Spec.ResourceAttributes; a != nil && a.Namespace != obj.Namespace {
		errs = append(errs, field.Invalid(spec.Child("resourceAttributes", "namespace"), a.Namespace, "must match metadata.namespace"))
	}
	if a := obj.Spec.NonResourceAttributes; a != nil {
		errs = append(errs, field.Invalid(spec.Child("nonResourceAttributes"), hubtext.Of(a), "disallowed on this kind of request"))
	}
	return errs
}

// validateMetadata refuses metadata: a review is not stored.
func validateMetadata(meta metav1.ObjectMeta, msg string) field.ErrorList {
	meta.ManagedFields = nil
	if apiequality.Semantic.DeepEqual(metav1.ObjectMeta{}, meta) {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("metadata"), meta, msg)}
}

func validateSubject(spec *authorizationv1.SubjectAccessReviewSpec) field.ErrorList {
	errs := validateRequest(spec.ResourceAttributes, spec.NonResourceAttributes)
	if spec.User == "" && len(spec.Groups) == 0 {
		errs = append(errs, field.Invalid(field.NewPath("spec", "user"), spec.User, "at least one of user or group must be specified"))
	}
	return errs
}

// validateRequest demands that a review is about a resource or about a path.
func validateRequest(resource *authorizationv1.ResourceAttributes, path *authorizationv1.NonResourceAttributes) field.ErrorList {
	spec := field.NewPath("spec")
	switch {
	case resource == nil && path == nil:
		return field.ErrorList{field.Invalid(spec, path, "exactly one of nonResourceAttributes or resourceAttributes must be specified").
			WithOrigin("union").MarkCoveredByDeclarative().MarkAlpha()}
	case resource == nil:
		return nil
	}
	var errs field.ErrorList
	if path != nil {
		errs = append(errs, field.Invalid(spec, hubtext.Of(path), "cannot be specified in combination with resourceAttributes").
			WithOrigin("union").MarkCoveredByDeclarative().MarkAlpha())
	}
	at := spec.Child("resourceAttributes")
	if s := resource.FieldSelector; s != nil {
		at := at.Child("fieldSelector")
		errs = append(errs, validateSelector(s.RawSelector, len(s.Requirements), at)...)
		for i, r := range s.Requirements {
			// Clients may know operators that the server does not: then they mean nothing.
			errs = append(errs, metav1validation.ValidateFieldSelectorRequirement(r,
				metav1validation.FieldSelectorValidationOptions{AllowUnknownOperatorInRequirement: true}, at.Child("requirements").Index(i))...)
		}
	}
	if s := resource.LabelSelector; s != nil {
		at := at.Child("labelSelector")
		errs = append(errs, validateSelector(s.RawSelector, len(s.Requirements), at)...)
		for i, r := range s.Requirements {
			errs = append(errs, metav1validation.ValidateLabelSelectorRequirement(r,
				metav1validation.LabelSelectorValidationOptions{AllowUnknownOperatorInRequirement: true}, at.Child("requirements").Index(i))...)
		}
	}
	return errs
}

func validateSelector(raw string, requirements int, at *field.Path) field.ErrorList {
	switch {
	case raw != "" && requirements > 0:
		return field.ErrorList{field.Invalid(at.Child("rawSelector"), raw, "may not specified at the same time as requirements")}
	case raw == "" && requirements == 0:
		return field.ErrorList{field.Required(at.Child("requirements"), fmt.Sprintf("when %s is specified, requirements or rawSelector is required", at))}
	}
	return nil
}
