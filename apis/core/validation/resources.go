// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	resourcehelper "k8s.io/component-helpers/resource"
)

// ValidateResourceRequirements judges the resources of a container outside of a
// pod, where there are no claims to name.
func ValidateResourceRequirements(requirements *corev1.ResourceRequirements, path *field.Path, opts PodOptions) field.ErrorList {
	return validateRequirements(requirements, ValidateContainerResourceName, nil, path, opts)
}

func validateRequirements(requirements *corev1.ResourceRequirements, validName func(corev1.ResourceName, *field.Path) field.ErrorList, claims sets.Set[string], path *field.Path, opts PodOptions) field.ErrorList {
	var errs field.ErrorList
	one := func(name corev1.ResourceName, value resource.Quantity, path *field.Path) {
		errs = append(errs, validName(name, path)...)
		errs = append(errs, ValidateResourceQuantityValue(name, value, path)...)
	}
	pages := func(name corev1.ResourceName, value resource.Quantity, path *field.Path) {
		if IsHugePageResource(name) && !opts.AllowIndivisibleHugePages && !isHugePageMultiple(name, value) {
			errs = append(errs, field.Invalid(path, value.String(),
				fmt.Sprintf("%s is not positive integer multiple of %s", value.String(), name)))
		}
	}
	limits, requests := path.Child("limits"), path.Child("requests")
	for _, name := range slices.Sorted(maps.Keys(requirements.Limits)) {
		value := requirements.Limits[name]
		one(name, value, limits.Key(string(name)))
		pages(name, value, limits.Key(string(name)))
	}
	for _, name := range slices.Sorted(maps.Keys(requirements.Requests)) {
		value := requirements.Requests[name]
		one(name, value, requests.Key(string(name)))
		limit, limited := requirements.Limits[name]
		switch {
		case !limited && !isOvercommitted(name):
			errs = append(errs, field.Required(limits, "Limit must be set for non overcommitable resources"))
		case limited && !isOvercommitted(name) && value.Cmp(limit) != 0:
			errs = append(errs, field.Invalid(requests, value.String(), fmt.Sprintf("must be equal to %s limit of %s", name, limit.String())))
		case limited && value.Cmp(limit) > 0:
			errs = append(errs, field.Invalid(requests, value.String(), fmt.Sprintf("must be less than or equal to %s limit of %s", name, limit.String())))
		}
		pages(name, value, requests.Key(string(name)))
	}
	if mentions(requirements, IsHugePageResource) && !mentions(requirements, isCPUOrMemory) {
		errs = append(errs, field.Forbidden(path, "HugePages require cpu or memory"))
	}
	return append(errs, validateClaimUses(requirements.Claims, claims, path.Child("claims"))...)
}

func isCPUOrMemory(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory
}

func mentions(requirements *corev1.ResourceRequirements, which func(corev1.ResourceName) bool) bool {
	for _, list := range []corev1.ResourceList{requirements.Limits, requirements.Requests} {
		for name := range list {
			if which(name) {
				return true
			}
		}
	}
	return false
}

// validateClaimUses judges the claims, or single requests of them, that a container
// uses: each must be one of the pod's, and none may be named twice or as a whole and
// in part.
func validateClaimUses(uses []corev1.ResourceClaim, claims sets.Set[string], path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := sets.Set[string]{}
	for i, use := range uses {
		path := path.Index(i)
		if use.Name == "" {
			errs = append(errs, field.Required(path, ""))
			continue
		}
		if seen.Has(use.Name) {
			errs = append(errs, field.Duplicate(path, use.Name))
		} else {
			errs = append(errs, validateClaimRequest(use, seen, path)...)
		}
		if !claims.Has(use.Name) {
			err := field.NotFound(path, use.Name)
			err.Detail = "must be one of the names in pod.spec.resourceClaims"
			if len(claims) == 0 {
				err.Detail += " which is empty"
			} else {
				err.Detail += ": " + strings.Join(sets.List(claims), ", ")
			}
			errs = append(errs, err)
		}
	}
	return errs
}

func validateClaimRequest(use corev1.ResourceClaim, seen sets.Set[string], path *field.Path) field.ErrorList {
	var errs field.ErrorList
	key := use.Name
	if use.Request != "" {
		errs = dnsLabel(use.Request, path.Child("request"))
		key += "/" + use.Request
	}
	switch {
	case seen.Has(key):
		errs = append(errs, field.Duplicate(path, key))
	case use.Request == "":
		for other := range seen {
			if claim, _, part := strings.Cut(other, "/"); part && claim == use.Name {
				errs = append(errs, field.Duplicate(path, use.Name))
			}
		}
	}
	seen.Insert(key)
	return errs
}

// validatePodResources judges what a pod asks for as a whole.
func validatePodResources(spec *corev1.PodSpec, claims sets.Set[string], path *field.Path, opts PodOptions) field.ErrorList {
	if spec.Resources == nil {
		return nil
	}
	var errs field.ErrorList
	if spec.Resources.Claims != nil {
		errs = append(errs, field.Forbidden(path.Child("claims"), "claims cannot be set for Resources at pod-level"))
	}
	errs = append(errs, validateRequirements(spec.Resources, validatePodResourceName, claims, path, opts)...)
	sum := resourcehelper.AggregateContainerRequests(&corev1.Pod{Spec: *spec}, resourcehelper.PodResourcesOptions{})
	for _, name := range slices.Sorted(maps.Keys(sum)) {
		asked, ok := spec.Resources.Requests[name]
		total := sum[name]
		// What is not asked for as a whole is asked for by containers alone.
		if ok && resourcehelper.IsSupportedPodLevelResource(name) && total.Cmp(asked) > 0 {
			errs = append(errs, field.Invalid(path.Child("requests").Key(string(name)), asked.String(),
				fmt.Sprintf("must be greater than or equal to aggregate container requests of %s", total.String())))
		}
	}
	for i := range spec.Containers {
		limits := spec.Containers[i].Resources.Limits
		for _, name := range slices.Sorted(maps.Keys(limits)) {
			limit := limits[name]
			if whole, ok := spec.Resources.Limits[name]; ok && limit.Cmp(whole) > 0 {
				// The path is wrong upstream too.
				errs = append(errs, field.Invalid(path.Child("containers").Index(i).Key(string(name)).Child("limits"), limit.String(),
					fmt.Sprintf("must be less than or equal to pod limits of %s", whole.String())))
			}
		}
	}
	return errs
}
