// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidateNamespace judges a namespace, new or changed.
func ValidateNamespace(obj *corev1.Namespace) field.ErrorList {
	var errs field.ErrorList
	for _, finalizer := range obj.Spec.Finalizers {
		// Upstream gives no index here, but does in the finalize subresource.
		errs = append(errs, validateNamespaceFinalizer(finalizer, field.NewPath("spec", "finalizers"))...)
	}
	return errs
}

// ValidateNamespaceStatus judges a changed status.
func ValidateNamespaceStatus(obj *corev1.Namespace) field.ErrorList {
	// Upstream writes Phase with a capital letter, and clients read it so.
	path := field.NewPath("status", "Phase")
	switch {
	case obj.DeletionTimestamp.IsZero() && obj.Status.Phase != corev1.NamespaceActive:
		return field.ErrorList{field.Invalid(path, obj.Status.Phase,
			"may only be 'Active' if `deletionTimestamp` is empty")}
	case !obj.DeletionTimestamp.IsZero() && obj.Status.Phase != corev1.NamespaceTerminating:
		return field.ErrorList{field.Invalid(path, obj.Status.Phase,
			"may only be 'Terminating' if `deletionTimestamp` is not empty")}
	}
	return nil
}

// ValidateNamespaceFinalize judges what the finalize subresource leaves.
func ValidateNamespaceFinalize(obj *corev1.Namespace) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("spec", "finalizers")
	for i, finalizer := range obj.Spec.Finalizers {
		errs = append(errs, validateNamespaceFinalizer(finalizer, path.Index(i))...)
	}
	return errs
}

func validateNamespaceFinalizer(finalizer corev1.FinalizerName, path *field.Path) field.ErrorList {
	errs := apivalidation.ValidateFinalizerName(string(finalizer), path)
	if !strings.Contains(string(finalizer), "/") && finalizer != corev1.FinalizerKubernetes {
		errs = append(errs, field.Invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified"))
	}
	return errs
}
