// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// staticSuffix ends the names of what is kept in files, and nothing else.
const staticSuffix = ".static.k8s.io"

// ValidateNotStatic refuses names of what is kept in files, for objects of the API.
func ValidateNotStatic(name string) field.ErrorList {
	if !strings.HasSuffix(name, staticSuffix) {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("metadata", "name"), name,
		fmt.Sprintf("names ending with %q are reserved for static manifest-based configurations and cannot be managed via the API", staticSuffix))}
}

// WarningsOnStatic warns of such a name where it is allowed: of an object that had it
// before, or while the feature is off.
func WarningsOnStatic(name string) []string {
	if !strings.HasSuffix(name, staticSuffix) {
		return nil
	}
	return []string{fmt.Sprintf("metadata.name: names ending with %q will be reserved for static manifest-based configurations when the ManifestBasedAdmissionControlConfig feature gate is enabled", staticSuffix)}
}
