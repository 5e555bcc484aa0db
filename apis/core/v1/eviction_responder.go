// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/operation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The tag +k8s:customValidation in k8s.io/api demands these two functions here.

// ValidateCustom_EvictionResponder_Name keeps the domains of Kubernetes for
// Kubernetes. The tags have checked the form of the name.
func ValidateCustom_EvictionResponder_Name(_ context.Context, _ operation.Operation, path *field.Path, value, _ *string) field.ErrorList {
	if value == nil {
		return nil
	}
	domain, _, _ := strings.Cut(*value, "/")
	for _, suffix := range []string{".k8s.io", ".kubernetes.io"} {
		if strings.HasSuffix("."+domain, suffix) {
			return field.ErrorList{field.Invalid(path, *value, fmt.Sprintf("domain names *%s are reserved", suffix))}
		}
	}
	return nil
}

// ValidateCustom_EvictionResponder_Priority keeps the lowest priorities for
// Kubernetes. The tags have checked the range.
func ValidateCustom_EvictionResponder_Priority(_ context.Context, _ operation.Operation, path *field.Path, value, _ *int32) field.ErrorList {
	const firstFree = 1000
	if value == nil || *value < 0 || *value >= firstFree {
		return nil
	}
	return field.ErrorList{field.Invalid(path, *value, "priorities 0-999 are reserved for responders with *.k8s.io suffix")}
}
