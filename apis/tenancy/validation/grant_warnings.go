// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// WarningsOnGrant says what is allowed and probably not meant. old is nil for a
// new grant; what old says as well is not said again.
func WarningsOnGrant(obj, old *tenancy.Grant) []string {
	now := time.Now()
	return newWarnings(func(grant *tenancy.Grant) []string { return grantWarnings(grant, now) }, obj, old)
}

func grantWarnings(obj *tenancy.Grant, now time.Time) []string {
	var warnings []string
	path := field.NewPath("spec")
	switch expiresAt := obj.Spec.ExpiresAt; {
	case expiresAt == nil && obj.Spec.Duration == nil:
		warnings = append(warnings, fmt.Sprintf("%s: neither expiresAt nor duration is set, the grant holds until it is deleted", path))
	case expiresAt != nil && !expiresAt.After(now):
		warnings = append(warnings, fmt.Sprintf("%s: %s is over, the grant has expired already",
			path.Child("expiresAt"), expiresAt.UTC().Format(time.RFC3339)))
	}
	for i, rule := range obj.Spec.Rules {
		at := path.Child("rules").Index(i)
		if slices.Contains(rule.Verbs, "*") && slices.Contains(rule.Resources, "*") {
			warnings = append(warnings, fmt.Sprintf("%s: grants everything in the API groups it names", at))
		}
	}
	return warnings
}
