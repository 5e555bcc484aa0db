// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"slices"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/component-base/featuregate"

	"github.com/stoa-project/stoa/features"
)

// gated is a field, or several, of a feature that can be switched off. Off, it is
// dropped unless the object had it before.
type gated[T any] struct {
	gate  featuregate.Feature
	inUse func(*T) bool
	clear func(*T)
}

// drop clears the fields of features that are off; old is nil on create.
func drop[T any](obj, old *T, rules []gated[T]) {
	for _, r := range rules {
		if !features.Enabled(r.gate) && (old == nil || !r.inUse(old)) {
			r.clear(obj)
		}
	}
}

// anyDevice and eachDevice make a rule for a slice of one for a device.
func anyDevice(test func(*resourcev1.Device) bool) func(*resourcev1.ResourceSliceSpec) bool {
	return func(s *resourcev1.ResourceSliceSpec) bool {
		return slices.ContainsFunc(s.Devices, func(d resourcev1.Device) bool { return test(&d) })
	}
}

func eachDevice(do func(*resourcev1.Device)) func(*resourcev1.ResourceSliceSpec) {
	return func(s *resourcev1.ResourceSliceSpec) {
		for i := range s.Devices {
			do(&s.Devices[i])
		}
	}
}

func dropSliceFields(spec, old *resourcev1.ResourceSliceSpec) {
	drop(spec, old, []gated[resourcev1.ResourceSliceSpec]{
		{features.DRADeviceTaints,
			anyDevice(func(d *resourcev1.Device) bool { return len(d.Taints) > 0 }),
			eachDevice(func(d *resourcev1.Device) { d.Taints = nil })},
		{features.DRAPartitionableDevices, usesPartitions, func(s *resourcev1.ResourceSliceSpec) {
			s.SharedCounters, s.PerDeviceNodeSelection = nil, nil
			eachDevice(func(d *resourcev1.Device) {
				d.ConsumesCounters, d.NodeName, d.NodeSelector, d.AllNodes = nil, nil, nil, nil
			})(s)
		}},
		{features.DRADeviceBindingConditions,
			anyDevice(func(d *resourcev1.Device) bool {
				return len(d.BindingConditions) > 0 || len(d.BindingFailureConditions) > 0 || d.BindsToNode != nil
			}),
			eachDevice(func(d *resourcev1.Device) {
				d.BindingConditions, d.BindingFailureConditions, d.BindsToNode = nil, nil, nil
			})},
		{features.DRAConsumableCapacity, anyDevice(isShared), eachDevice(func(d *resourcev1.Device) {
			d.AllowMultipleAllocations = nil
			for name, capacity := range d.Capacity {
				capacity.RequestPolicy = nil
				d.Capacity[name] = capacity
			}
		})},
		{features.DRANodeAllocatableResources,
			anyDevice(func(d *resourcev1.Device) bool { return len(d.NodeAllocatableResources) > 0 }),
			eachDevice(func(d *resourcev1.Device) { d.NodeAllocatableResources = nil })},
		{features.DRAListTypeAttributes, anyDevice(hasLists), eachDevice(func(d *resourcev1.Device) {
			for name, a := range d.Attributes {
				a.BoolValues, a.IntValues, a.StringValues, a.VersionValues = nil, nil, nil, nil
				d.Attributes[name] = a
			}
		})},
		{features.DRADeviceCompatibilityGroups,
			anyDevice(func(d *resourcev1.Device) bool {
				return slices.ContainsFunc(d.ConsumesCounters, func(c resourcev1.DeviceCounterConsumption) bool { return len(c.CompatibilityGroups) > 0 })
			}),
			eachDevice(func(d *resourcev1.Device) {
				for i := range d.ConsumesCounters {
					d.ConsumesCounters[i].CompatibilityGroups = nil
				}
			})},
		{features.DRAPartitionableDevicesType,
			func(s *resourcev1.ResourceSliceSpec) bool { return s.PartitionTypeAttribute != nil },
			func(s *resourcev1.ResourceSliceSpec) { s.PartitionTypeAttribute = nil }},
		{features.DRAOptionalNodeOperations,
			func(s *resourcev1.ResourceSliceSpec) bool { return len(s.SkipNodeOperations) > 0 },
			func(s *resourcev1.ResourceSliceSpec) { s.SkipNodeOperations = nil }},
	})
}

func usesPartitions(s *resourcev1.ResourceSliceSpec) bool {
	return len(s.SharedCounters) > 0 || s.PerDeviceNodeSelection != nil || anyDevice(func(d *resourcev1.Device) bool {
		return len(d.ConsumesCounters) > 0 || d.NodeName != nil || d.NodeSelector != nil || d.AllNodes != nil
	})(s)
}

// isShared says that claims can have parts of a device.
func isShared(d *resourcev1.Device) bool {
	for _, capacity := range d.Capacity {
		if capacity.RequestPolicy != nil {
			return true
		}
	}
	return d.AllowMultipleAllocations != nil
}

func hasLists(d *resourcev1.Device) bool {
	for _, a := range d.Attributes {
		if a.BoolValues != nil || a.IntValues != nil || a.StringValues != nil || a.VersionValues != nil {
			return true
		}
	}
	return false
}

// eachRequest calls do with what each request and subrequest of a claim may have of a
// feature.
func eachRequest(c *resourcev1.DeviceClaim, do func(*[]resourcev1.DeviceToleration, **resourcev1.CapacityRequirements, *[]resourcev1.DeviceDerivedAttribute)) {
	for i := range c.Requests {
		if e := c.Requests[i].Exactly; e != nil {
			do(&e.Tolerations, &e.Capacity, &e.DerivedAttributes)
		}
		for j := range c.Requests[i].FirstAvailable {
			s := &c.Requests[i].FirstAvailable[j]
			do(&s.Tolerations, &s.Capacity, &s.DerivedAttributes)
		}
	}
}

func dropClaimFields(claim, old *resourcev1.DeviceClaim) {
	var tolerated, shared, derived bool
	if old != nil {
		shared = slices.ContainsFunc(old.Constraints, func(c resourcev1.DeviceConstraint) bool { return c.DistinctAttribute != nil })
		eachRequest(old, func(t *[]resourcev1.DeviceToleration, c **resourcev1.CapacityRequirements, d *[]resourcev1.DeviceDerivedAttribute) {
			tolerated, shared, derived = tolerated || len(*t) > 0, shared || *c != nil, derived || len(*d) > 0
		})
	}
	tolerated = tolerated || features.Enabled(features.DRADeviceTaints)
	shared = shared || features.Enabled(features.DRAConsumableCapacity)
	derived = derived || features.Enabled(features.DRADerivedAttributes)
	eachRequest(claim, func(t *[]resourcev1.DeviceToleration, c **resourcev1.CapacityRequirements, d *[]resourcev1.DeviceDerivedAttribute) {
		if !tolerated {
			*t = nil
		}
		if !shared {
			*c = nil
		}
		if !derived {
			*d = nil
		}
	})
	for i := range claim.Constraints {
		if !shared {
			claim.Constraints[i].DistinctAttribute = nil
		}
	}
}

// anyResult and eachResult make a rule for a status of one for an allocated device.
func anyResult(test func(*resourcev1.DeviceRequestAllocationResult) bool) func(*resourcev1.ResourceClaimStatus) bool {
	return func(s *resourcev1.ResourceClaimStatus) bool {
		return s.Allocation != nil && slices.ContainsFunc(s.Allocation.Devices.Results, func(r resourcev1.DeviceRequestAllocationResult) bool { return test(&r) })
	}
}

func eachResult(do func(*resourcev1.DeviceRequestAllocationResult)) func(*resourcev1.ResourceClaimStatus) {
	return func(s *resourcev1.ResourceClaimStatus) {
		if s.Allocation == nil {
			return
		}
		for i := range s.Allocation.Devices.Results {
			do(&s.Allocation.Devices.Results[i])
		}
	}
}

func dropStatusFields(status, old *resourcev1.ResourceClaimStatus) {
	type result = resourcev1.DeviceRequestAllocationResult
	drop(status, old, []gated[resourcev1.ResourceClaimStatus]{
		{features.DRADeviceTaints,
			anyResult(func(r *result) bool { return len(r.Tolerations) > 0 }),
			eachResult(func(r *result) { r.Tolerations = nil })},
		{features.DRADeviceBindingConditions,
			anyResult(func(r *result) bool { return len(r.BindingConditions) > 0 || len(r.BindingFailureConditions) > 0 }),
			eachResult(func(r *result) { r.BindingConditions, r.BindingFailureConditions = nil, nil })},
		{features.DRAConsumableCapacity,
			anyResult(func(r *result) bool { return r.ShareID != nil || r.ConsumedCapacity != nil }),
			eachResult(func(r *result) { r.ShareID, r.ConsumedCapacity = nil, nil })},
		{features.DRAOptionalNodeOperations,
			anyResult(func(r *result) bool { return len(r.SkipNodeOperations) > 0 }),
			eachResult(func(r *result) { r.SkipNodeOperations = nil })},
	})
}
