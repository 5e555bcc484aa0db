// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidateNamespace judges a new namespace.
func ValidateNamespace(obj *corev1.Namespace) field.ErrorList {
	meta := field.NewPath("metadata")
	errs := apivalidation.ValidateObjectMeta(&obj.ObjectMeta, false, apivalidation.ValidateNamespaceName, meta)
	errs = append(errs, validateFinalizers(obj.Finalizers, meta.Child("finalizers"))...)
	for _, finalizer := range obj.Spec.Finalizers {
		// Upstream gives no index here, but does in the finalize subresource.
		errs = append(errs, validateNamespaceFinalizer(finalizer, field.NewPath("spec", "finalizers"))...)
	}
	return errs
}

// ValidateNamespaceUpdate judges a change of metadata. Spec and status are the
// old ones by then; they change through the subresources only.
func ValidateNamespaceUpdate(obj, old *corev1.Namespace) field.ErrorList {
	return validateMetaUpdate(&obj.ObjectMeta, &old.ObjectMeta)
}

// ValidateNamespaceStatusUpdate judges a change of the status.
func ValidateNamespaceStatusUpdate(obj, old *corev1.Namespace) field.ErrorList {
	errs := validateMetaUpdate(&obj.ObjectMeta, &old.ObjectMeta)
	// Upstream writes Phase with a capital letter, and clients read it so.
	path := field.NewPath("status", "Phase")
	switch {
	case obj.DeletionTimestamp.IsZero() && obj.Status.Phase != corev1.NamespaceActive:
		errs = append(errs, field.Invalid(path, obj.Status.Phase,
			"may only be 'Active' if `deletionTimestamp` is empty"))
	case !obj.DeletionTimestamp.IsZero() && obj.Status.Phase != corev1.NamespaceTerminating:
		errs = append(errs, field.Invalid(path, obj.Status.Phase,
			"may only be 'Terminating' if `deletionTimestamp` is not empty"))
	}
	return errs
}

// ValidateNamespaceFinalizeUpdate judges a change of spec.finalizers.
func ValidateNamespaceFinalizeUpdate(obj, old *corev1.Namespace) field.ErrorList {
	errs := validateMetaUpdate(&obj.ObjectMeta, &old.ObjectMeta)
	path := field.NewPath("spec", "finalizers")
	for i, finalizer := range obj.Spec.Finalizers {
		errs = append(errs, validateNamespaceFinalizer(finalizer, path.Index(i))...)
	}
	return errs
}

func validateNamespaceFinalizer(finalizer corev1.FinalizerName, path *field.Path) field.ErrorList {
	errs := apivalidation.ValidateFinalizerName(string(finalizer), path)
	return append(errs, validateStandardFinalizer(string(finalizer), path)...)
}
