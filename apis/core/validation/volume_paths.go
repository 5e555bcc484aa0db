// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateNoBacksteps refuses a path with elements that lead up.
func validateNoBacksteps(target string, at *field.Path) field.ErrorList {
	if slices.Contains(strings.Split(target, "/"), "..") {
		return field.ErrorList{field.Invalid(at, target, "must not contain '..'")}
	}
	return nil
}

// validateLocalPath wants a relative path that does not lead up.
func validateLocalPath(target string, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if path.IsAbs(target) {
		errs = append(errs, field.Invalid(at, target, "must be a relative path"))
	}
	return append(errs, validateNoBacksteps(target, at)...)
}

// validateLocalFile wants a local path whose first element is not one of those
// with two dots, in which nodes keep what they write.
func validateLocalFile(target string, at *field.Path) field.ErrorList {
	errs := validateLocalPath(target, at)
	if strings.HasPrefix(target, "..") && !strings.HasPrefix(target, "../") {
		errs = append(errs, field.Invalid(at, target, "must not start with '..'"))
	}
	return errs
}

// validateFileMode wants the permissions of a file and nothing else.
func validateFileMode(mode *int32, at *field.Path) field.ErrorList {
	if mode != nil && (*mode < 0 || *mode > 0o777) {
		return field.ErrorList{field.Invalid(at, *mode, "must be a number between 0 and 0777 (octal), both inclusive")}
	}
	return nil
}
