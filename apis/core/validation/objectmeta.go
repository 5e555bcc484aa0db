// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const immutableWhenSet = "field is immutable when `immutable` is set"

func validateNamespaced(meta *metav1.ObjectMeta) field.ErrorList {
	path := field.NewPath("metadata")
	errs := apivalidation.ValidateObjectMeta(meta, true, apivalidation.NameIsDNSSubdomain, path)
	return append(errs, validateFinalizers(meta.Finalizers, path.Child("finalizers"))...)
}

func validateMetaUpdate(meta, old *metav1.ObjectMeta) field.ErrorList {
	path := field.NewPath("metadata")
	errs := apivalidation.ValidateObjectMetaUpdate(meta, old, path)
	return append(errs, validateFinalizers(meta.Finalizers, path.Child("finalizers"))...)
}

func validateFinalizers(finalizers []string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, finalizer := range finalizers {
		errs = append(errs, validateStandardFinalizer(finalizer, path.Index(i))...)
	}
	return errs
}

// validateStandardFinalizer lets only Kubernetes use names without a domain.
func validateStandardFinalizer(finalizer string, path *field.Path) field.ErrorList {
	if strings.Contains(finalizer, "/") {
		return nil
	}
	switch finalizer {
	case string(corev1.FinalizerKubernetes), metav1.FinalizerOrphanDependents, metav1.FinalizerDeleteDependents:
		return nil
	}
	return field.ErrorList{field.Invalid(path, finalizer,
		"name is neither a standard finalizer name nor is it fully qualified")}
}
