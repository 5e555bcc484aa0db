// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	resourcev1 "k8s.io/api/resource/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
)

// ValidateResourceClaimStatus judges a changed status. An allocation is set and
// cleared as a whole: one that stays is not judged again.
func ValidateResourceClaimStatus(claim, old *resourcev1.ResourceClaim) field.ErrorList {
	path, status := field.NewPath("status"), &claim.Status
	errs := each(status.ReservedFor, resourcev1.ResourceClaimReservedForMaxSize, path.Child("reservedFor"), validateConsumer)
	allocated := sets.New[deviceID]()
	if status.Allocation != nil {
		for _, result := range status.Allocation.Devices.Results {
			allocated.Insert(deviceID{result.Driver, result.Pool, result.Device, string(ptr.Deref(result.ShareID, ""))})
		}
	}
	for i := range status.Devices {
		errs = append(errs, validateDeviceStatus(&status.Devices[i], allocated, path.Child("devices").Index(i))...)
	}
	switch {
	case len(status.ReservedFor) == 0:
	case status.Allocation == nil:
		errs = append(errs, field.Forbidden(path.Child("reservedFor"), "may not be specified when `allocated` is not set"))
	case claim.DeletionTimestamp != nil && !sets.New(old.Status.ReservedFor...).HasAll(status.ReservedFor...):
		errs = append(errs, field.Forbidden(path.Child("reservedFor"), "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"))
	}
	if status.Allocation != nil && old.Status.Allocation == nil {
		errs = append(errs, validateAllocation(status.Allocation, namesOf(&claim.Spec.Devices), path.Child("allocation"))...)
	}
	return errs
}

// deviceID names an allocated device, or a share of one.
type deviceID struct{ Driver, Pool, Device, ShareID string }

func validateConsumer(ref *resourcev1.ResourceClaimConsumerReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, f := range []struct{ name, value string }{{"resource", ref.Resource}, {"name", ref.Name}, {"uid", string(ref.UID)}} {
		if f.value == "" {
			errs = append(errs, field.Required(path.Child(f.name), ""))
		}
	}
	return errs
}

func validateDeviceStatus(device *resourcev1.AllocatedDeviceStatus, allocated sets.Set[deviceID], path *field.Path) field.ErrorList {
	errs := validateDriverName(device.Driver, path.Child("driver"))
	errs = append(errs, validatePoolName(device.Pool, path.Child("pool"))...)
	errs = append(errs, validateLabelName(device.Device, path.Child("device"))...)
	if id := (deviceID{device.Driver, device.Pool, device.Device, ptr.Deref(device.ShareID, "")}); !allocated.Has(id) {
		errs = append(errs, field.Invalid(path, id, "must be an allocated device in the claim"))
	}
	conditions := path.Child("conditions")
	if len(device.Conditions) > resourcev1.AllocatedDeviceStatusMaxConditions {
		errs = append(errs, field.TooMany(conditions, len(device.Conditions), resourcev1.AllocatedDeviceStatusMaxConditions))
	}
	errs = append(errs, metav1validation.ValidateConditions(device.Conditions, conditions)...)
	if device.Data != nil && len(device.Data.Raw) > 0 {
		errs = append(errs, validateRaw(device.Data.Raw, path.Child("data"), resourcev1.AllocatedDeviceStatusDataMaxLength, isNew)...)
	}
	if device.NetworkData != nil {
		errs = append(errs, each(device.NetworkData.IPs, resourcev1.NetworkDeviceDataMaxIPs, path.Child("networkData", "ips"), func(ip *string, path *field.Path) field.ErrorList {
			return utilvalidation.IsValidInterfaceAddress(path, *ip)
		})...)
	}
	return errs
}

func validateAllocation(allocation *resourcev1.AllocationResult, names requestNames, path *field.Path) field.ErrorList {
	devices := path.Child("devices")
	errs := each(allocation.Devices.Results, resourcev1.AllocationResultsMaxSize, devices.Child("results"), func(result *resourcev1.DeviceRequestAllocationResult, path *field.Path) field.ErrorList {
		errs := names.validate(result.Request, path.Child("request"))
		errs = append(errs, validateLabelName(result.Device, path.Child("device"))...)
		errs = append(errs, validateBindingConditions(result.BindingConditions, result.BindingFailureConditions, path)...)
		errs = append(errs, validateTolerations(result.Tolerations, path.Child("tolerations"))...)
		return append(errs, validateSkipped(result.SkipNodeOperations, path.Child("skipNodeOperations"))...)
	})
	errs = append(errs, each(allocation.Devices.Config, 2*resourcev1.DeviceConfigMaxSize, devices.Child("config"), func(config *resourcev1.DeviceAllocationConfiguration, path *field.Path) field.ErrorList {
		return append(names.validateAll(config.Requests, path.Child("requests")),
			validateDeviceConfiguration(&config.DeviceConfiguration, path, isNew)...)
	})...)
	if allocation.NodeSelector != nil {
		errs = append(errs, corevalidation.ValidateNodeSelector(allocation.NodeSelector, false, path.Child("nodeSelector"))...)
	}
	return errs
}
