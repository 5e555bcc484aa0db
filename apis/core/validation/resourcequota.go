// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidateResourceQuota judges a new quota.
func ValidateResourceQuota(obj *corev1.ResourceQuota) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateQuotaList(obj.Spec.Hard, path.Child("hard"))
	errs = append(errs, validateQuotaScopes(&obj.Spec, path.Child("scopes"))...)
	return append(errs, validateScopeSelector(&obj.Spec, path.Child("scopeSelector"))...)
}

// ValidateResourceQuotaUpdate judges a changed quota, whose scopes must be the same set.
func ValidateResourceQuotaUpdate(obj, old *corev1.ResourceQuota) field.ErrorList {
	errs := ValidateResourceQuota(obj)
	if !sets.New(obj.Spec.Scopes...).Equal(sets.New(old.Spec.Scopes...)) {
		errs = append(errs, field.Invalid(field.NewPath("spec", "scopes"), obj.Spec.Scopes, apivalidation.FieldImmutableErrorMsg))
	}
	return errs
}

// ValidateResourceQuotaStatus judges a changed status.
func ValidateResourceQuotaStatus(obj *corev1.ResourceQuota) field.ErrorList {
	var errs field.ErrorList
	if obj.ResourceVersion == "" {
		errs = append(errs, field.Required(field.NewPath("resourceVersion"), ""))
	}
	path := field.NewPath("status")
	errs = append(errs, validateQuotaList(obj.Status.Hard, path.Child("hard"))...)
	return append(errs, validateQuotaList(obj.Status.Used, path.Child("used"))...)
}

func validateQuotaList(list corev1.ResourceList, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(list)) {
		at := path.Key(string(name))
		errs = append(errs, ValidateResourceName(name, at)...)
		if !strings.Contains(string(name), "/") && !IsStandardQuotaResource(name) {
			errs = append(errs, field.Invalid(at, string(name), "must be a standard resource for quota"))
		}
		errs = append(errs, ValidateResourceQuantityValue(name, list[name], at)...)
	}
	return errs
}

// quotaKind says what a quota resource counts.
type quotaKind int

const (
	countsPods quotaKind = iota + 1
	countsPodCompute
	countsClaims
)

// scopedResources are the quota resources that a scope can be applied to.
//
//nolint:gochecknoglobals // constant
var scopedResources = map[corev1.ResourceName]quotaKind{
	corev1.ResourcePods:                   countsPods,
	corev1.ResourceCPU:                    countsPodCompute,
	corev1.ResourceMemory:                 countsPodCompute,
	corev1.ResourceRequestsCPU:            countsPodCompute,
	corev1.ResourceRequestsMemory:         countsPodCompute,
	corev1.ResourceLimitsCPU:              countsPodCompute,
	corev1.ResourceLimitsMemory:           countsPodCompute,
	corev1.ResourcePersistentVolumeClaims: countsClaims,
	corev1.ResourceRequestsStorage:        countsClaims,
}

// scopeRule says what a scope may be applied to.
type scopeRule struct {
	counts []quotaKind
	// existsOnly scopes have no value that a selector could compare.
	existsOnly bool
}

// quotaScopes are the scopes that there are.
//
//nolint:gochecknoglobals // constant
var quotaScopes = map[corev1.ResourceQuotaScope]scopeRule{
	corev1.ResourceQuotaScopeTerminating:               {[]quotaKind{countsPods, countsPodCompute}, true},
	corev1.ResourceQuotaScopeNotTerminating:            {[]quotaKind{countsPods, countsPodCompute}, true},
	corev1.ResourceQuotaScopeNotBestEffort:             {[]quotaKind{countsPods, countsPodCompute}, true},
	corev1.ResourceQuotaScopeCrossNamespacePodAffinity: {[]quotaKind{countsPods, countsPodCompute}, true},
	corev1.ResourceQuotaScopePriorityClass:             {[]quotaKind{countsPods, countsPodCompute}, false},
	corev1.ResourceQuotaScopeBestEffort:                {[]quotaKind{countsPods}, true},
	corev1.ResourceQuotaScopeVolumeAttributesClass:     {[]quotaKind{countsClaims}, false},
}

// misapplied returns how many of the standard resources of a quota the scope does
// not fit, for which upstream says the same each time.
func misapplied(scope corev1.ResourceQuotaScope, hard corev1.ResourceList) int {
	rule, known := quotaScopes[scope]
	if !known {
		return 0
	}
	n := 0
	for name := range hard {
		if IsStandardQuotaResource(name) && !slices.Contains(rule.counts, scopedResources[name]) {
			n++
		}
	}
	return n
}

// conflicting says whether the scopes contain two of which no object has both.
func conflicting(scopes sets.Set[corev1.ResourceQuotaScope]) []bool {
	return []bool{
		scopes.HasAll(corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort),
		scopes.HasAll(corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating),
	}
}

func validateQuotaScopes(spec *corev1.ResourceQuotaSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, scope := range spec.Scopes {
		if _, known := quotaScopes[scope]; !known {
			errs = append(errs, field.Invalid(path, spec.Scopes, "unsupported scope"))
		}
		for range misapplied(scope, spec.Hard) {
			errs = append(errs, field.Invalid(path, spec.Scopes, "unsupported scope applied to resource"))
		}
	}
	for _, conflict := range conflicting(sets.New(spec.Scopes...)) {
		if conflict {
			errs = append(errs, field.Invalid(path, spec.Scopes, "conflicting scopes"))
		}
	}
	return errs
}

// existsOnlyText is upstream's, with the names of its constants.
const existsOnlyText = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, " +
	"ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"

// validateScopeSelector gives no index in its paths, as upstream.
func validateScopeSelector(spec *corev1.ResourceQuotaSpec, path *field.Path) field.ErrorList {
	if spec.ScopeSelector == nil {
		return nil
	}
	var errs field.ErrorList
	path = path.Child("matchExpressions")
	scopes := sets.New[corev1.ResourceQuotaScope]()
	for _, req := range spec.ScopeSelector.MatchExpressions {
		scopes.Insert(req.ScopeName)
		rule, known := quotaScopes[req.ScopeName]
		if !known {
			errs = append(errs, field.Invalid(path.Child("scopeName"), req.ScopeName, "unsupported scope"))
		}
		for range misapplied(req.ScopeName, spec.Hard) {
			errs = append(errs, field.Invalid(path, spec.ScopeSelector, "unsupported scope applied to resource"))
		}
		if rule.existsOnly && req.Operator != corev1.ScopeSelectorOpExists {
			errs = append(errs, field.Invalid(path.Child("operator"), req.Operator, existsOnlyText))
		}
		errs = append(errs, validateScopeOperator(&req, path)...)
	}
	for _, conflict := range conflicting(scopes) {
		if conflict {
			errs = append(errs, field.Invalid(path, spec.Scopes, "conflicting scopes"))
		}
	}
	return errs
}

func validateScopeOperator(req *corev1.ScopedResourceSelectorRequirement, path *field.Path) field.ErrorList {
	switch req.Operator {
	case corev1.ScopeSelectorOpIn, corev1.ScopeSelectorOpNotIn:
		if len(req.Values) == 0 {
			return field.ErrorList{field.Required(path.Child("values"), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")}
		}
	case corev1.ScopeSelectorOpExists, corev1.ScopeSelectorOpDoesNotExist:
		if len(req.Values) != 0 {
			return field.ErrorList{field.Invalid(path.Child("values"), req.Values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector")}
		}
	default:
		return field.ErrorList{field.Invalid(path.Child("operator"), req.Operator, "not a valid selector operator")}
	}
	return nil
}
