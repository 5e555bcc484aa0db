// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
)

// keyLength is how long the key of an attribute may be.
const keyLength = resourcev1.DeviceMaxDomainLength + 1 + resourcev1.DeviceMaxIDLength

// validateDevice judges a device; old is the one of the same name before, or nil.
// What of it did not change is not judged again where rules became stricter.
func validateDevice(device, old *resourcev1.Device, path *field.Path) field.ErrorList {
	errs := validateLabelName(device.Name, path.Child("name"))
	errs = append(errs, validateAttributes(device, path)...)
	if old == nil || !apiequality.Semantic.DeepEqual(old.Capacity, device.Capacity) {
		errs = append(errs, validateCapacities(device, path.Child("capacity"))...)
	}
	taints := path.Child("taints")
	if old == nil || !apiequality.Semantic.DeepEqual(old.Taints, device.Taints) {
		if n := len(device.Taints); n > resourcev1.DeviceTaintsMaxLength {
			errs = append(errs, field.TooMany(taints, n, resourcev1.DeviceTaintsMaxLength))
		}
		errs = append(errs, each(device.Taints, resourcev1.DeviceTaintsMaxLength, taints, validateTaint)...)
	}
	errs = append(errs, each(device.ConsumesCounters, resourcev1.ResourceSliceMaxDeviceCounterConsumptionsPerDevice, path.Child("consumesCounters"), func(c *resourcev1.DeviceCounterConsumption, path *field.Path) field.ErrorList {
		return validateCounters(c.Counters, resourcev1.ResourceSliceMaxCountersPerDeviceCounterConsumption, path.Child("counters"))
	})...)
	errs = append(errs, validateBindingConditions(device.BindingConditions, device.BindingFailureConditions, path)...)
	return append(errs, validateNodeResources(device, path.Child("nodeAllocatableResources"))...)
}

// validateCounters judges how many there are; names are judged by tags, and any
// quantity is fine.
func validateCounters(counters map[string]resourcev1.Counter, most int, path *field.Path) field.ErrorList {
	if n := len(counters); n > most {
		return field.ErrorList{field.TooMany(path, n, most)}
	}
	return nil
}

func validateAttributes(device *resourcev1.Device, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	const mostKeys, mostValues = resourcev1.ResourceSliceMaxAttributesAndCapacitiesPerDevice, resourcev1.ResourceSliceMaxAttributeValuesPerDevice
	if n := len(device.Attributes) + len(device.Capacity); n > mostKeys {
		errs = append(errs, field.Invalid(path, n, fmt.Sprintf("the total number of attributes and capacities must not exceed %d", mostKeys)))
	}
	values := 0
	for _, a := range device.Attributes {
		values += max(1, len(a.BoolValues)+len(a.IntValues)+len(a.StringValues)+len(a.VersionValues))
	}
	if values > mostValues {
		errs = append(errs, field.Invalid(path, values, fmt.Sprintf("the total number of attribute values must not exceed %d", mostValues)))
	}
	path = path.Child("attributes")
	for _, name := range slices.Sorted(maps.Keys(device.Attributes)) {
		errs = append(errs, validateQualifiedName(name, path)...)
		attribute := device.Attributes[name]
		errs = append(errs, validateAttribute(&attribute, path.Key(shorten(string(name), keyLength)))...)
	}
	return errs
}

// validateAttribute judges a value. That there is one, and one only, tags say.
func validateAttribute(attribute *resourcev1.DeviceAttribute, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	long := func(value string, path *field.Path) {
		if len(value) > resourcev1.DeviceAttributeMaxValueLength {
			errs = append(errs, field.TooLong(path, "" /* not printed */, resourcev1.DeviceAttributeMaxValueLength))
		}
	}
	version := func(value string, path *field.Path) {
		if !semanticVersion.MatchString(value) {
			errs = append(errs, field.Invalid(path, value, "must be a string compatible with semver.org spec 2.0.0"))
		}
		long(value, path)
	}
	if attribute.StringValue != nil {
		long(*attribute.StringValue, path.Child("string"))
	}
	if attribute.VersionValue != nil {
		version(*attribute.VersionValue, path.Child("version"))
	}
	for _, list := range []struct {
		name   string
		value  any
		empty  bool
		values []string
		judge  func(string, *field.Path)
	}{
		{"bools", attribute.BoolValues, attribute.BoolValues != nil && len(attribute.BoolValues) == 0, nil, nil},
		{"ints", attribute.IntValues, attribute.IntValues != nil && len(attribute.IntValues) == 0, nil, nil},
		{"strings", attribute.StringValues, attribute.StringValues != nil && len(attribute.StringValues) == 0, attribute.StringValues, long},
		{"versions", attribute.VersionValues, attribute.VersionValues != nil && len(attribute.VersionValues) == 0, attribute.VersionValues, version},
	} {
		if list.empty {
			errs = append(errs, field.Invalid(path.Child(list.name), list.value, "must not be empty if specified"))
		}
		for i, value := range list.values {
			list.judge(value, path.Child(list.name).Index(i))
		}
	}
	return errs
}

// semanticVersion is the form of semver.org, version 2.0.0.
var semanticVersion = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?` +
	`(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$`)

func validateCapacities(device *resourcev1.Device, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(device.Capacity)) {
		errs = append(errs, validateQualifiedName(name, path)...)
		capacity, at := device.Capacity[name], path.Key(shorten(string(name), keyLength)).Child("requestPolicy")
		switch {
		case capacity.RequestPolicy == nil:
		case ptr.Deref(device.AllowMultipleAllocations, false):
			errs = append(errs, validateRequestPolicy(&capacity, at)...)
		default:
			errs = append(errs, field.Forbidden(at, "allowMultipleAllocations must be true"))
		}
	}
	return errs
}

// validateNodeResources judges what using a device takes from its node.
func validateNodeResources(device *resourcev1.Device, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(device.NodeAllocatableResources)) {
		resource, at := device.NodeAllocatableResources[name], path.Key(string(name))
		if !slices.Contains([]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}, name) && !corevalidation.IsHugePageResource(name) {
			errs = append(errs, field.Invalid(at, name, "must be a node allocatable resource name"))
		}
		if resource.Mapping == nil && resource.Overhead == nil {
			errs = append(errs, field.Required(at, "at least one of mapping or overhead must be set"))
		}
		if resource.Mapping != nil {
			errs = append(errs, validateMapping(resource.Mapping, device.Capacity, at.Child("mapping"))...)
		}
		if resource.Overhead != nil {
			errs = append(errs, validateOverhead(resource.Overhead, at.Child("overhead"))...)
		}
	}
	return errs
}

func validateMapping(mapping *resourcev1.NodeAllocatableMapping, capacities map[resourcev1.QualifiedName]resourcev1.DeviceCapacity, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	key, multiplier := mapping.CapacityKey, mapping.CapacityMultiplier
	if key != nil {
		if _, known := capacities[*key]; *key == "" {
			errs = append(errs, field.Invalid(path.Child("capacityKey"), "", "capacityKey must not be an empty string"))
		} else if !known {
			errs = append(errs, field.NotFound(path.Child("capacityKey"), *key))
		}
	}
	// Tags say the next two too, but in a form that is not enforced.
	switch {
	case key != nil && multiplier == nil:
		errs = append(errs, field.Required(path.Child("capacityMultiplier"), "capacityMultiplier is required when capacityKey is set").WithOrigin("dependentRequired").MarkCoveredByDeclarative().MarkAlpha())
	case key == nil && multiplier != nil:
		errs = append(errs, field.Required(path.Child("capacityKey"), "capacityKey is required when capacityMultiplier is set").WithOrigin("dependentRequired").MarkCoveredByDeclarative().MarkAlpha())
	case multiplier != nil && multiplier.Sign() <= 0:
		errs = append(errs, field.Invalid(path.Child("capacityMultiplier"), multiplier.String(), "must be positive"))
	}
	if q := mapping.DeviceMultiplier; q != nil && q.Sign() <= 0 {
		errs = append(errs, field.Invalid(path.Child("deviceMultiplier"), q.String(), "must be positive"))
	}
	return errs
}

func validateOverhead(overhead *resourcev1.NodeAllocatableOverhead, path *field.Path) field.ErrorList {
	if overhead.PerPod == nil && overhead.PerContainer == nil {
		return field.ErrorList{field.Invalid(path, "", "at least one of perPod or perContainer must be set")}
	}
	var errs field.ErrorList
	if q := overhead.PerPod; q != nil && q.Sign() < 0 {
		errs = append(errs, field.Invalid(path.Child("perPod"), q.String(), "must be non-negative"))
	}
	if q := overhead.PerContainer; q != nil && q.Sign() < 0 {
		errs = append(errs, field.Invalid(path.Child("perContainer"), q.String(), "must be non-negative"))
	}
	return errs
}
