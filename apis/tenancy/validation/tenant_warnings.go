// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// WarningsOnTenant says what is allowed and probably not meant. old is nil for
// a new tenant; what old says as well is not said again.
func WarningsOnTenant(obj, old *tenancy.Tenant) []string {
	return newWarnings(tenantWarnings, obj, old)
}

func tenantWarnings(obj *tenancy.Tenant) []string {
	var warnings []string
	path := field.NewPath("spec")
	owners := path.Child("owners")
	if len(obj.Spec.Owners) == 0 {
		warnings = append(warnings, fmt.Sprintf("%s: the tenant has no owners, only administrators can use it", owners))
	}
	seen := map[rbacv1.Subject]int{}
	for i, owner := range obj.Spec.Owners {
		if first, twice := seen[owner]; twice {
			warnings = append(warnings, fmt.Sprintf("%s: the same owner as %s", owners.Index(i), owners.Index(first)))
			continue
		}
		seen[owner] = i
	}

	hard := path.Child("namespaceDefaults", "quota", "hard")
	for _, name := range sorted(obj.Spec.NamespaceDefaults.Quota.Hard) {
		one := obj.Spec.NamespaceDefaults.Quota.Hard[name]
		all, limited := obj.Spec.Quota.Hard[name]
		if limited && one.Cmp(all) > 0 {
			warnings = append(warnings, fmt.Sprintf("%s: %s is more than the tenant has in all, %s",
				hard.Key(string(name)), one.String(), all.String()))
		}
	}
	quota := path.Child("quota", "hard")
	for _, name := range sorted(obj.Spec.Quota.Hard) {
		limit := obj.Spec.Quota.Hard[name]
		used, known := obj.Status.QuotaUsed[name]
		if known && limit.Cmp(used) < 0 {
			warnings = append(warnings, fmt.Sprintf("%s: %s is less than what is used already, %s",
				quota.Key(string(name)), limit.String(), used.String()))
		}
	}
	if limit := obj.Spec.Namespaces.Limit; limit != nil && *limit < obj.Status.Namespaces.Count {
		warnings = append(warnings, fmt.Sprintf("%s: %d is less than the number of namespaces there are, %d",
			path.Child("namespaces", "limit"), *limit, obj.Status.Namespaces.Count))
	}
	return warnings
}

// newWarnings leaves out what was wrong before, so that nobody is warned of
// what they did not touch.
func newWarnings[T any](warn func(*T) []string, obj, old *T) []string {
	known := map[string]bool{}
	if old != nil {
		for _, warning := range warn(old) {
			known[warning] = true
		}
	}
	var fresh []string
	for _, warning := range warn(obj) {
		if !known[warning] {
			fresh = append(fresh, warning)
		}
	}
	return fresh
}
