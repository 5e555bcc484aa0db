// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
)

// ValidateResourceSlice judges a new slice.
func ValidateResourceSlice(slice *resourcev1.ResourceSlice) field.ErrorList {
	return validateSlice(&slice.Spec, nil, field.NewPath("spec"))
}

// ValidateResourceSliceUpdate judges a changed slice.
func ValidateResourceSliceUpdate(slice, old *resourcev1.ResourceSlice) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateSlice(&slice.Spec, &old.Spec, path)
	errs = append(errs, apivalidation.ValidateImmutableField(slice.Spec.Pool.Name, old.Spec.Pool.Name, path.Child("pool", "name"))...)
	errs = append(errs, apivalidation.ValidateImmutableField(slice.Spec.Driver, old.Spec.Driver, path.Child("driver"))...)
	return append(errs, apivalidation.ValidateImmutableField(slice.Spec.NodeName, old.Spec.NodeName, path.Child("nodeName"))...)
}

// WarningsOnResourceSlice asks for drivers in lower case.
func WarningsOnResourceSlice(slice *resourcev1.ResourceSlice) []string {
	if driver := slice.Spec.Driver; driver != strings.ToLower(driver) {
		return []string{fmt.Sprintf("spec.driver: driver names should be lowercase; %q contains uppercase characters", driver)}
	}
	return nil
}

func validateSlice(spec, old *resourcev1.ResourceSliceSpec, path *field.Path) field.ErrorList {
	errs := validateDriverName(spec.Driver, path.Child("driver"))
	pool := path.Child("pool")
	errs = append(errs, validatePoolName(spec.Pool.Name, pool.Child("name"))...)
	if n := spec.Pool.ResourceSliceCount; n <= 0 {
		errs = append(errs, field.Invalid(pool.Child("resourceSliceCount"), n, "must be greater than zero"))
	}
	if n := spec.Pool.Generation; n < 0 {
		errs = append(errs, field.Invalid(pool.Child("generation"), n, "must be greater than or equal to zero"))
	}
	errs = append(errs, validateSliceNodes(spec, path)...)
	if spec.SharedCounters != nil && spec.Devices != nil {
		errs = append(errs, field.Invalid(path, "", "only one of `sharedCounters` or `devices` is allowed"))
	}
	errs = append(errs, validateDevices(spec, old, path.Child("devices"))...)
	errs = append(errs, each(spec.SharedCounters, resourcev1.ResourceSliceMaxCounterSets, path.Child("sharedCounters"), func(set *resourcev1.CounterSet, path *field.Path) field.ErrorList {
		return validateCounters(set.Counters, resourcev1.ResourceSliceMaxCountersPerCounterSet, path.Child("counters"))
	})...)
	errs = append(errs, validatePartitionType(spec, path)...)
	return append(errs, validateSkipped(spec.SkipNodeOperations, path.Child("skipNodeOperations"))...)
}

// choice collects which of some fields, of which one must be set, are set.
type choice struct{ set []string }

func (c *choice) add(name string) { c.set = append(c.set, "`"+name+"`") }

// flag adds a field that is true or not there.
func (c *choice) flag(name string, value *bool, path *field.Path) field.ErrorList {
	switch {
	case value == nil:
		return nil
	case *value:
		c.add(name)
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child(name), *value, "must be either unset or set to true")}
}

// nodeName adds a name that is not empty or not there.
func (c *choice) nodeName(name *string, path *field.Path, empty string) field.ErrorList {
	switch {
	case name == nil:
		return nil
	case *name == "":
		return field.ErrorList{field.Invalid(path.Child("nodeName"), *name, empty)}
	}
	c.add("nodeName")
	return validateSubdomain(*name, path.Child("nodeName"))
}

func (c *choice) nodeSelector(selector *corev1.NodeSelector, path *field.Path) field.ErrorList {
	if selector == nil {
		return nil
	}
	c.add("nodeSelector")
	return corevalidation.ValidateNodeSelector(selector, false, path.Child("nodeSelector"))
}

// check demands one. several is added to what is said when there are more.
func (c *choice) check(path *field.Path, one, several string) field.ErrorList {
	switch len(c.set) {
	case 0:
		return field.ErrorList{field.Required(path, one)}
	case 1:
		return nil
	}
	return field.ErrorList{field.Invalid(path, "{"+strings.Join(c.set, ", ")+"}", one+several)}
}

// validateSliceNodes judges which nodes reach the devices.
func validateSliceNodes(spec *resourcev1.ResourceSliceSpec, path *field.Path) field.ErrorList {
	var c choice
	errs := c.nodeName(spec.NodeName, path, "must be either unset or set to a non-empty string")
	errs = append(errs, c.nodeSelector(spec.NodeSelector, path)...)
	if spec.NodeSelector != nil && len(spec.NodeSelector.NodeSelectorTerms) != 1 {
		// One term is easy to merge with those of other slices.
		errs = append(errs, field.Invalid(path.Child("nodeSelector", "nodeSelectorTerms"), spec.NodeSelector.NodeSelectorTerms, "must have exactly one node selector term"))
	}
	errs = append(errs, c.flag("allNodes", spec.AllNodes, path)...)
	errs = append(errs, c.flag("perDeviceNodeSelection", spec.PerDeviceNodeSelection, path)...)
	return append(errs, c.check(path, "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required", ", but multiple fields are set")...)
}

func validateDeviceNodes(device *resourcev1.Device, perDevice bool, path *field.Path) field.ErrorList {
	if !perDevice {
		if device.NodeName != nil || device.NodeSelector != nil || device.AllNodes != nil {
			return field.ErrorList{field.Invalid(path, nil, "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec")}
		}
		return nil
	}
	var c choice
	errs := c.nodeName(device.NodeName, path, "must not be empty")
	errs = append(errs, c.nodeSelector(device.NodeSelector, path)...)
	errs = append(errs, c.flag("allNodes", device.AllNodes, path)...)
	return append(errs, c.check(path, "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec", "")...)
}

func validateDevices(spec, old *resourcev1.ResourceSliceSpec, path *field.Path) field.ErrorList {
	most := resourcev1.ResourceSliceMaxDevices
	before := map[string]*resourcev1.Device{}
	if old != nil {
		for i := range old.Devices {
			if d := &old.Devices[i]; before[d.Name] == nil {
				before[d.Name] = d
			}
		}
	}
	for i := range spec.Devices {
		if isAdvanced(&spec.Devices[i]) {
			most = resourcev1.ResourceSliceMaxDevicesWithAdvancedFeatures
		}
	}
	if n := len(spec.Devices); n > most {
		return field.ErrorList{field.TooMany(path, n, most)}
	}
	var errs field.ErrorList
	seen := sets.New[string]()
	for i := range spec.Devices {
		device := &spec.Devices[i]
		errs = append(errs, validateDevice(device, before[device.Name], path.Index(i))...)
		errs = append(errs, validateDeviceNodes(device, ptr.Deref(spec.PerDeviceNodeSelection, false), path.Index(i))...)
		if seen.Has(device.Name) {
			errs = append(errs, field.Duplicate(path.Index(i), device.Name))
		}
		seen.Insert(device.Name)
	}
	return errs
}

// isAdvanced says that a device uses what makes slices big.
func isAdvanced(device *resourcev1.Device) bool {
	for _, attribute := range device.Attributes {
		if attribute.BoolValues != nil || attribute.IntValues != nil || attribute.StringValues != nil || attribute.VersionValues != nil {
			return true
		}
	}
	return len(device.Taints) > 0 || len(device.ConsumesCounters) > 0
}

// validatePartitionType demands that every device that is a partition says of
// which type, in the attribute that the slice names.
func validatePartitionType(spec *resourcev1.ResourceSliceSpec, path *field.Path) field.ErrorList {
	if spec.PartitionTypeAttribute == nil {
		return nil
	}
	name := string(*spec.PartitionTypeAttribute)
	if len(validateQualifiedName(resourcev1.QualifiedName(name), nil)) > 0 || !strings.Contains(name, "/") {
		return nil // the tag says so
	}
	var errs field.ErrorList
	partitions := 0
	// A name in the domain of the driver needs no domain.
	bare, _ := strings.CutPrefix(name, spec.Driver+"/")
	for i := range spec.Devices {
		device := &spec.Devices[i]
		if len(device.ConsumesCounters) == 0 {
			continue
		}
		partitions++
		at := path.Child("devices").Index(i).Child("attributes").Key(name)
		attribute, set := device.Attributes[resourcev1.QualifiedName(name)]
		if !set {
			attribute, set = device.Attributes[resourcev1.QualifiedName(bare)]
		}
		switch {
		case !set:
			errs = append(errs, field.Required(at, "device consumes counters and `partitionTypeAttribute` names this attribute, so it must be set"))
		case attribute.StringValue == nil:
			errs = append(errs, field.Invalid(at, attribute, "must be a string value because `partitionTypeAttribute` names this attribute"))
		}
	}
	if partitions == 0 {
		return field.ErrorList{field.Invalid(path.Child("partitionTypeAttribute"), name, "may only be set on a slice which declares devices that consume counters")}
	}
	return errs
}
