// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// immutableWhenSet is what the field immutable does to the others.
const immutableWhenSet = "field is immutable when `immutable` is set"

// ValidateConfigMap judges a new config map.
func ValidateConfigMap(obj *corev1.ConfigMap) field.ErrorList {
	var errs field.ErrorList
	total := 0
	for _, key := range slices.Sorted(maps.Keys(obj.Data)) {
		path := field.NewPath("data").Key(key)
		errs = append(errs, validateDataKey(key, path)...)
		if _, twice := obj.BinaryData[key]; twice {
			errs = append(errs, field.Invalid(path, key, "duplicate of key present in binaryData"))
		}
		total += len(obj.Data[key])
	}
	for _, key := range slices.Sorted(maps.Keys(obj.BinaryData)) {
		errs = append(errs, validateDataKey(key, field.NewPath("binaryData").Key(key))...)
		total += len(obj.BinaryData[key])
	}
	if total > corev1.MaxSecretSize {
		// Not data alone and not binaryData alone is too big: the path is empty.
		errs = append(errs, field.TooLong(field.NewPath(""), "" /* not printed */, corev1.MaxSecretSize))
	}
	return errs
}

// ValidateConfigMapUpdate judges a changed config map.
func ValidateConfigMapUpdate(obj, old *corev1.ConfigMap) field.ErrorList {
	var errs field.ErrorList
	if ptr.Deref(old.Immutable, false) {
		if !ptr.Deref(obj.Immutable, false) {
			errs = append(errs, field.Forbidden(field.NewPath("immutable"), immutableWhenSet))
		}
		if !apiequality.Semantic.DeepEqual(obj.Data, old.Data) {
			errs = append(errs, field.Forbidden(field.NewPath("data"), immutableWhenSet))
		}
		if !apiequality.Semantic.DeepEqual(obj.BinaryData, old.BinaryData) {
			errs = append(errs, field.Forbidden(field.NewPath("binaryData"), immutableWhenSet))
		}
	}
	return append(errs, ValidateConfigMap(obj)...)
}

// validateDataKey judges a key of a config map or secret, which may become the
// name of a file.
func validateDataKey(key string, path *field.Path) field.ErrorList {
	return fielderrors.Each(path, key, validation.IsConfigMapKey(key))
}
