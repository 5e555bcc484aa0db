// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// keysOf returns the names of a list in order, so that errors have one too.
func keysOf(list corev1.ResourceList) []corev1.ResourceName { return slices.Sorted(maps.Keys(list)) }

// checkResourceName judges the name of any resource: one without a domain must be
// among those that Kubernetes knows.
func checkResourceName(name corev1.ResourceName, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, msg := range utilvalidation.IsQualifiedName(string(name)) {
		errs = append(errs, field.Invalid(path, string(name), msg))
	}
	if len(errs) == 0 && !strings.Contains(string(name), "/") && name != corev1.ResourceStorage && !isQuotaResource(name) {
		errs = append(errs, field.Invalid(path, string(name), "must be a standard resource type or fully qualified"))
	}
	return errs
}

// checkContainerResourceName judges the name of what a container may use.
func checkContainerResourceName(name corev1.ResourceName, path *field.Path) field.ErrorList {
	errs := checkResourceName(name, path)
	switch {
	case !strings.Contains(string(name), "/"):
		if !containerResource(name) {
			errs = append(errs, field.Invalid(path, string(name), "must be a standard resource for containers"))
		}
	case !nativeResource(name) && !extendedResource(name):
		errs = append(errs, field.Invalid(path, string(name), "doesn't follow extended resource name standard"))
	}
	return errs
}

func containerResource(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return true
	}
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// nativeResource says whether the name is in the domain of Kubernetes, or in none.
func nativeResource(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/") || strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// extendedResource says whether the name is one that a vendor may give: in its own
// domain, and such that quotas can put a prefix before it.
func extendedResource(name corev1.ResourceName) bool {
	return !nativeResource(name) && !strings.HasPrefix(string(name), corev1.DefaultResourceRequestsPrefix) &&
		len(utilvalidation.IsQualifiedName(corev1.DefaultResourceRequestsPrefix+string(name))) == 0
}

// overcommitAllowed says whether limits may be above requests.
func overcommitAllowed(name corev1.ResourceName) bool {
	return nativeResource(name) && !strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}
