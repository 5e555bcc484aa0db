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
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

// validateQuota judges limits as a ResourceQuota would.
func validateQuota(list corev1.ResourceList, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range sorted(list) {
		key := path.Key(string(name))
		if nameErrs := validateResourceName(name, corevalidation.IsStandardQuotaResource, "must be a standard resource for quota", key); len(nameErrs) > 0 {
			errs = append(errs, nameErrs...)
			continue
		}
		errs = append(errs, corevalidation.ValidateResourceQuantityValue(name, list[name], key)...)
	}
	return errs
}

// validateAmounts judges what is used, or what one object may use.
func validateAmounts(list corev1.ResourceList, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range sorted(list) {
		key := path.Key(string(name))
		errs = append(errs, fielderrors.Each(key, string(name), content.IsLabelKey(string(name)))...)
		errs = append(errs, corevalidation.ValidateNonnegativeQuantity(list[name], key)...)
	}
	return errs
}

// validateResourceName wants a name with a domain, or one that isStandard knows.
func validateResourceName(name corev1.ResourceName, isStandard func(corev1.ResourceName) bool, message string, path *field.Path) field.ErrorList {
	if errs := fielderrors.Each(path, string(name), content.IsLabelKey(string(name))); len(errs) > 0 {
		return errs
	}
	if !strings.Contains(string(name), "/") && !isStandard(name) {
		return field.ErrorList{field.Invalid(path, string(name), message)}
	}
	return nil
}

func isContainerResource(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage, corev1.ResourceStorage:
		return true
	}
	return corevalidation.IsHugePageResource(name)
}

// validateLimitRange judges items as a LimitRange would.
func validateLimitRange(items []corev1.LimitRangeItem, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[corev1.LimitType]bool{}
	for i, item := range items {
		at := path.Index(i)
		if seen[item.Type] {
			errs = append(errs, field.Duplicate(at.Child("type"), item.Type))
		}
		seen[item.Type] = true
		errs = append(errs, validateLimitType(item, at)...)
		errs = append(errs, validateLimits(item, at)...)
	}
	return errs
}

func validateLimitType(item corev1.LimitRangeItem, path *field.Path) field.ErrorList {
	switch item.Type {
	case "":
		return field.ErrorList{field.Required(path.Child("type"), "")}
	case corev1.LimitTypeContainer:
		return nil
	case corev1.LimitTypePod:
		var errs field.ErrorList
		if len(item.Default) > 0 {
			errs = append(errs, field.Forbidden(path.Child("default"), "may not be specified when `type` is 'Pod'"))
		}
		if len(item.DefaultRequest) > 0 {
			errs = append(errs, field.Forbidden(path.Child("defaultRequest"), "may not be specified when `type` is 'Pod'"))
		}
		return errs
	case corev1.LimitTypePersistentVolumeClaim:
		_, minimum := item.Min[corev1.ResourceStorage]
		_, maximum := item.Max[corev1.ResourceStorage]
		if !minimum && !maximum {
			return field.ErrorList{field.Required(path.Child("min").Key(string(corev1.ResourceStorage)),
				"either minimum or maximum storage value is required, but neither was provided")}
		}
		return nil
	default:
		if messages := content.IsLabelKey(string(item.Type)); len(messages) > 0 {
			return fielderrors.Each(path.Child("type"), item.Type, messages)
		}
		if !strings.Contains(string(item.Type), "/") {
			return field.ErrorList{field.Invalid(path.Child("type"), item.Type, "must be a standard limit type or fully qualified")}
		}
		return nil
	}
}

// limitList is one of the lists of a LimitRangeItem.
type limitList struct {
	field, name string
	list        corev1.ResourceList
}

func validateLimits(item corev1.LimitRangeItem, path *field.Path) field.ErrorList {
	var (
		minimum        = limitList{"min", "min", item.Min}
		maximum        = limitList{"max", "max", item.Max}
		fallback       = limitList{"default", "default", item.Default}
		defaultRequest = limitList{"defaultRequest", "default request", item.DefaultRequest}
		ratio          = limitList{"maxLimitRequestRatio", "ratio", item.MaxLimitRequestRatio}
	)
	var errs field.ErrorList
	for _, list := range []limitList{minimum, maximum, fallback, defaultRequest, ratio} {
		at := path.Child(list.field)
		for _, name := range sorted(list.list) {
			key := at.Key(string(name))
			errs = append(errs, validateResourceName(name, isContainerResource, "must be a standard resource type or fully qualified", key)...)
			errs = append(errs, corevalidation.ValidateNonnegativeQuantity(list.list[name], key)...)
		}
	}
	for _, pair := range []struct{ low, high, at limitList }{
		{minimum, maximum, minimum},
		{minimum, defaultRequest, defaultRequest},
		{defaultRequest, maximum, defaultRequest},
		{defaultRequest, fallback, defaultRequest},
		{minimum, fallback, fallback},
		{fallback, maximum, fallback},
	} {
		for _, name := range sorted(pair.low.list) {
			low, high := pair.low.list[name], pair.high.list[name]
			if _, both := pair.high.list[name]; !both || low.Cmp(high) <= 0 {
				continue
			}
			at := pair.at.list[name]
			errs = append(errs, field.Invalid(path.Child(pair.at.field).Key(string(name)), at.String(),
				fmt.Sprintf("%s value %s is greater than %s value %s", pair.low.name, low.String(), pair.high.name, high.String())))
		}
	}
	for _, name := range sorted(ratio.list) {
		if value := ratio.list[name]; value.Cmp(resource.MustParse("1")) < 0 {
			errs = append(errs, field.Invalid(path.Child(ratio.field).Key(string(name)), value.String(),
				fmt.Sprintf("ratio %s is less than 1", value.String())))
		}
	}
	return errs
}

// sorted returns the names in order, so that errors come in order.
func sorted(list corev1.ResourceList) []corev1.ResourceName {
	return slices.Sorted(maps.Keys(list))
}
