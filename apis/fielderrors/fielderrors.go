// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package fielderrors

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Each returns an error for each of the texts that say what is wrong with a value.
func Each(path *field.Path, value any, texts []string) field.ErrorList {
	var errs field.ErrorList
	for _, text := range texts {
		errs = append(errs, field.Invalid(path, value, text))
	}
	return errs
}

// OneOf demands one of the supported values, which the error lists in the order
// given. An empty value is just another wrong one.
func OneOf[T ~string](path *field.Path, value T, supported ...T) field.ErrorList {
	if slices.Contains(supported, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, value, supported)}
}

// RequireOneOf is OneOf for a value that must be set.
func RequireOneOf[T ~string](path *field.Path, value T, supported ...T) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return OneOf(path, value, supported...)
}
