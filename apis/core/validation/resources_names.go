// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// computeResources are what containers ask for by their plain names.
//
//nolint:gochecknoglobals // constant
var computeResources = []corev1.ResourceName{
	corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage,
}

// countedResources are objects that quotas count; of them there is no half.
//
//nolint:gochecknoglobals // constant
var countedResources = []corev1.ResourceName{
	corev1.ResourcePods, corev1.ResourceQuotas, corev1.ResourceServices, corev1.ResourceReplicationControllers,
	corev1.ResourceSecrets, corev1.ResourceConfigMaps, corev1.ResourcePersistentVolumeClaims,
	corev1.ResourceServicesNodePorts, corev1.ResourceServicesLoadBalancers,
}

// summedResources are the sums that quotas limit.
//
//nolint:gochecknoglobals // constant
var summedResources = []corev1.ResourceName{
	corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceRequestsEphemeralStorage,
	corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceLimitsEphemeralStorage,
	corev1.ResourceRequestsStorage,
}

// IsHugePageResource says that the resource is memory in pages of one size.
func IsHugePageResource(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// IsNativeResource says that the resource is one that Kubernetes defines.
func IsNativeResource(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/") || strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// IsExtendedResource says that the resource is one that a node or driver
// advertises. It must leave room for the prefix that quotas put before it.
func IsExtendedResource(name corev1.ResourceName) bool {
	return !IsNativeResource(name) && !strings.HasPrefix(string(name), corev1.DefaultResourceRequestsPrefix) &&
		len(validation.IsQualifiedName(corev1.DefaultResourceRequestsPrefix+string(name))) == 0
}

// IsStandardQuotaResource says that a quota may limit the resource by its plain name.
func IsStandardQuotaResource(name corev1.ResourceName) bool {
	return slices.Contains(computeResources, name) || slices.Contains(summedResources, name) ||
		slices.Contains(countedResources, name) || isQuotaHugePageResource(name)
}

func isQuotaHugePageResource(name corev1.ResourceName) bool {
	return IsHugePageResource(name) || strings.HasPrefix(string(name), corev1.ResourceRequestsHugePagesPrefix)
}

// isOvercommitted says that a request for the resource may be less than its limit.
func isOvercommitted(name corev1.ResourceName) bool {
	return IsNativeResource(name) && !IsHugePageResource(name)
}

// isWhole says that there is no fraction of the resource.
func isWhole(name corev1.ResourceName) bool {
	return slices.Contains(countedResources, name) || IsExtendedResource(name)
}

// ValidateResourceName judges the name of a resource of any kind.
func ValidateResourceName(name corev1.ResourceName, path *field.Path) field.ErrorList {
	if errs := fielderrors.Each(path, string(name), validation.IsQualifiedName(string(name))); len(errs) > 0 {
		return errs
	}
	if !strings.Contains(string(name), "/") && !IsStandardQuotaResource(name) && name != corev1.ResourceStorage {
		return field.ErrorList{field.Invalid(path, name, "must be a standard resource type or fully qualified")}
	}
	return nil
}

// ValidateContainerResourceName judges the name of what a container asks for.
func ValidateContainerResourceName(name corev1.ResourceName, path *field.Path) field.ErrorList {
	errs := ValidateResourceName(name, path)
	switch {
	case !strings.Contains(string(name), "/"):
		if !slices.Contains(computeResources, name) && !IsHugePageResource(name) {
			errs = append(errs, field.Invalid(path, name, "must be a standard resource for containers"))
		}
	case !IsNativeResource(name) && !IsExtendedResource(name):
		errs = append(errs, field.Invalid(path, name, "doesn't follow extended resource name standard"))
	}
	return errs
}

func validatePodResourceName(name corev1.ResourceName, path *field.Path) field.ErrorList {
	if resourcehelper.IsSupportedPodLevelResource(name) {
		return nil
	}
	supported := resourcehelper.SupportedPodLevelResources().UnsortedList()
	slices.Sort(supported)
	return field.ErrorList{field.NotSupported(path, name, supported)}
}

// ValidateResourceQuantityValue judges the quantity of one resource.
func ValidateResourceQuantityValue(name corev1.ResourceName, value resource.Quantity, path *field.Path) field.ErrorList {
	errs := ValidateNonnegativeQuantity(value, path)
	if isWhole(name) && value.MilliValue()%1000 != 0 {
		errs = append(errs, field.Invalid(path, value, "must be an integer"))
	}
	return errs
}

// ValidateNonnegativeQuantity judges a quantity that may be zero.
func ValidateNonnegativeQuantity(value resource.Quantity, path *field.Path) field.ErrorList {
	if value.Sign() < 0 {
		return field.ErrorList{field.Invalid(path, value.String(), "must be greater than or equal to 0")}
	}
	return nil
}

// isHugePageMultiple says that a quantity is a whole number of pages.
func isHugePageMultiple(name corev1.ResourceName, value resource.Quantity) bool {
	size, err := resource.ParseQuantity(strings.TrimPrefix(string(name), corev1.ResourceHugePagesPrefix))
	if err != nil || size.Sign() <= 0 || size.MilliValue()%1000 != 0 {
		return false
	}
	return value.Value()%size.Value() == 0
}
