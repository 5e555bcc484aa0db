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
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateLimitRange judges a limit range, new or changed.
func ValidateLimitRange(obj *corev1.LimitRange) field.ErrorList {
	var errs field.ErrorList
	seen := map[corev1.LimitType]bool{}
	for i := range obj.Spec.Limits {
		limit, path := &obj.Spec.Limits[i], field.NewPath("spec", "limits").Index(i)
		errs = append(errs, validateLimitType(limit.Type, path.Child("type"))...)
		if seen[limit.Type] {
			errs = append(errs, field.Duplicate(path.Child("type"), limit.Type))
		}
		seen[limit.Type] = true
		errs = append(errs, validateLimit(limit, path)...)
	}
	return errs
}

func validateLimitType(kind corev1.LimitType, path *field.Path) field.ErrorList {
	errs := fielderrors.Each(path, string(kind), utilvalidation.IsQualifiedName(string(kind)))
	if len(errs) > 0 || strings.Contains(string(kind), "/") {
		return errs
	}
	switch kind {
	case corev1.LimitTypePod, corev1.LimitTypeContainer, corev1.LimitTypePersistentVolumeClaim:
		return nil
	}
	return field.ErrorList{field.Invalid(path, string(kind), "must be a standard limit type or fully qualified")}
}

// validateLimit judges the limits for one type: their names, then what they are to
// each other.
func validateLimit(limit *corev1.LimitRangeItem, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	all := corev1.ResourceList{}
	names := func(list corev1.ResourceList, at *field.Path) {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			errs = append(errs, validateLimitedResource(limit.Type, name, at.Key(string(name)))...)
			all[name] = list[name]
		}
	}
	names(limit.Max, path.Child("max"))
	names(limit.Min, path.Child("min"))
	checked := *limit
	if limit.Type == corev1.LimitTypePod {
		const notForPods = "may not be specified when `type` is 'Pod'"
		if len(limit.Default) > 0 {
			errs = append(errs, field.Forbidden(path.Child("default"), notForPods))
		}
		if len(limit.DefaultRequest) > 0 {
			errs = append(errs, field.Forbidden(path.Child("defaultRequest"), notForPods))
		}
		checked.Default, checked.DefaultRequest = nil, nil
	} else {
		names(limit.Default, path.Child("default"))
		names(limit.DefaultRequest, path.Child("defaultRequest"))
	}
	if limit.Type == corev1.LimitTypePersistentVolumeClaim {
		_, least := limit.Min[corev1.ResourceStorage]
		_, most := limit.Max[corev1.ResourceStorage]
		if !least && !most {
			errs = append(errs, field.Required(path.Child("limits"), "either minimum or maximum storage value is required, but neither was provided"))
		}
	}
	names(limit.MaxLimitRequestRatio, path.Child("maxLimitRequestRatio"))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		errs = append(errs, validateBounds(&checked, name, path)...)
	}
	return errs
}

// validateLimitedResource judges a name: pods and containers use fewer resources
// than other types, which may have storage too.
func validateLimitedResource(kind corev1.LimitType, name corev1.ResourceName, path *field.Path) field.ErrorList {
	if kind == corev1.LimitTypePod || kind == corev1.LimitTypeContainer {
		return ValidateContainerResourceName(name, path)
	}
	return ValidateResourceName(name, path)
}

// validateBounds compares the five values for one resource.
func validateBounds(limit *corev1.LimitRangeItem, name corev1.ResourceName, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, rule := range []struct {
		small, big corev1.ResourceList
		// field and value are those that the error shows.
		field              string
		value              corev1.ResourceList
		smallName, bigName string
	}{
		{limit.Min, limit.Max, "min", limit.Min, "min", "max"},
		{limit.Min, limit.DefaultRequest, "defaultRequest", limit.DefaultRequest, "min", "default request"},
		{limit.DefaultRequest, limit.Max, "defaultRequest", limit.DefaultRequest, "default request", "max"},
		{limit.DefaultRequest, limit.Default, "defaultRequest", limit.DefaultRequest, "default request", "default limit"},
		{limit.Min, limit.Default, "default", limit.Min, "min", "default"},
		{limit.Default, limit.Max, "default", limit.Max, "default", "max"},
	} {
		small, isSmall := rule.small[name]
		big, isBig := rule.big[name]
		if isSmall && isBig && small.Cmp(big) > 0 {
			errs = append(errs, field.Invalid(path.Child(rule.field).Key(string(name)), rule.value[name],
				fmt.Sprintf("%s value %s is greater than %s value %s", rule.smallName, small.String(), rule.bigName, big.String())))
		}
	}
	errs = append(errs, validateRatio(limit, name, path.Child("maxLimitRequestRatio").Key(string(name)))...)
	byDefault, isDefault := limit.Default[name]
	request, isRequest := limit.DefaultRequest[name]
	if !isOvercommitted(name) && isDefault && isRequest && byDefault.Cmp(request) != 0 {
		errs = append(errs, field.Invalid(path.Child("defaultRequest").Key(string(name)), request,
			fmt.Sprintf("default value %s must equal to defaultRequest value %s in %s", byDefault.String(), request.String(), name)))
	}
	return errs
}

// validateRatio demands a ratio that values between min and max can have.
func validateRatio(limit *corev1.LimitRangeItem, name corev1.ResourceName, path *field.Path) field.ErrorList {
	ratio, ok := limit.MaxLimitRequestRatio[name]
	if !ok {
		return nil
	}
	var errs field.ErrorList
	if ratio.Cmp(*resource.NewQuantity(1, resource.DecimalSI)) < 0 {
		errs = append(errs, field.Invalid(path, ratio, fmt.Sprintf("ratio %s is less than 1", ratio.String())))
	}
	least, isMin := limit.Min[name]
	most, isMax := limit.Max[name]
	if !isMin || !isMax {
		return errs
	}
	value, low, high := float64(ratio.Value()), least.Value(), most.Value()
	if ratio.Value() < resource.MaxMilliValue && low < resource.MaxMilliValue && high < resource.MaxMilliValue {
		value, low, high = float64(ratio.MilliValue())/1000, least.MilliValue(), most.MilliValue()
	}
	if bound := float64(high) / float64(low); value > bound {
		errs = append(errs, field.Invalid(path, ratio, fmt.Sprintf("ratio %s is greater than max/min = %f", ratio.String(), bound)))
	}
	return errs
}
