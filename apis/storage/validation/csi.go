// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	storagev1 "k8s.io/api/storage/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateCSIDriver judges a new driver.
func ValidateCSIDriver(obj *storagev1.CSIDriver) field.ErrorList {
	var errs field.ErrorList
	spec, path := &obj.Spec, field.NewPath("spec")
	// Some of the names are misspelt upstream.
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"attachedRequired", spec.AttachRequired != nil}, {"podInfoOnMount", spec.PodInfoOnMount != nil},
		{"storageCapacity", spec.StorageCapacity != nil}, {"seLinuxMount", spec.SELinuxMount != nil}, {"fsGroupPolicy", spec.FSGroupPolicy != nil},
	} {
		if !option.set {
			errs = append(errs, field.Required(path.Child(option.name), ""))
		}
	}
	if policy := spec.FSGroupPolicy; policy != nil {
		errs = append(errs, fielderrors.OneOf(path.Child("fsGroupPolicy"), *policy,
			storagev1.FileFSGroupPolicy, storagev1.NoneFSGroupPolicy, storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy)...)
	}
	errs = append(errs, validateTokenRequests(spec, path)...)
	for _, mode := range spec.VolumeLifecycleModes {
		errs = append(errs, fielderrors.OneOf(path.Child("volumeLifecycleModes"), mode, storagev1.VolumeLifecyclePersistent, storagev1.VolumeLifecycleEphemeral)...)
	}
	if period := spec.NodeAllocatableUpdatePeriodSeconds; period != nil && *period < 10 {
		errs = append(errs, field.Invalid(path.Child("nodeAllocatableUpdatePeriodSeconds"), *period, "must be greater than or equal to 10 seconds"))
	}
	return errs
}

func validateTokenRequests(spec *storagev1.CSIDriverSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	audiences := sets.New[string]()
	for i, request := range spec.TokenRequests {
		at := path.Child("tokenRequests").Index(i)
		if audiences.Has(request.Audience) {
			errs = append(errs, field.Duplicate(at.Child("audience"), request.Audience))
			continue
		}
		audiences.Insert(request.Audience)
		switch seconds := request.ExpirationSeconds; {
		case seconds == nil:
		case *seconds < 10*60:
			errs = append(errs, field.Invalid(at.Child("expirationSeconds"), *seconds, "may not specify a duration less than 10 minutes"))
		case *seconds > 1<<32:
			errs = append(errs, field.Invalid(at.Child("expirationSeconds"), *seconds, "may not specify a duration larger than 2^32 seconds"))
		}
	}
	if inSecrets := spec.ServiceAccountTokenInSecrets; inSecrets != nil && len(spec.TokenRequests) == 0 {
		errs = append(errs, field.Invalid(path.Child("serviceAccountTokenInSecrets"), *inSecrets,
			"serviceAccountTokenInSecrets is set but no tokenRequests are specified"))
	}
	return errs
}

// ValidateCSIDriverUpdate judges a changed driver.
func ValidateCSIDriverUpdate(obj, old *storagev1.CSIDriver) field.ErrorList {
	errs := ValidateCSIDriver(obj)
	path := field.NewPath("spec")
	errs = append(errs, apivalidation.ValidateImmutableField(obj.Spec.AttachRequired, old.Spec.AttachRequired, path.Child("attachedRequired"))...)
	return append(errs, apivalidation.ValidateImmutableField(obj.Spec.VolumeLifecycleModes, old.Spec.VolumeLifecycleModes,
		path.Child("volumeLifecycleModes")).WithOrigin("immutable").MarkCoveredByDeclarative().MarkAlpha()...)
}

// WarningsOnCSIDriver says that a driver which gets tokens should not be given them
// among the attributes of volumes.
func WarningsOnCSIDriver(obj *storagev1.CSIDriver) []string {
	if len(obj.Spec.TokenRequests) > 0 && obj.Spec.ServiceAccountTokenInSecrets == nil {
		return []string{"spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes"}
	}
	return nil
}

// ValidateCSINode judges what is said of the drivers of a node.
func ValidateCSINode(obj *storagev1.CSINode) field.ErrorList {
	var errs field.ErrorList
	names := sets.New[string]()
	for i := range obj.Spec.Drivers {
		driver, path := &obj.Spec.Drivers[i], field.NewPath("spec", "drivers").Index(i)
		errs = append(errs, corevalidation.ValidateCSIDriverName(driver.Name, path.Child("name"))...)
		switch id := driver.NodeID; {
		case id == "":
			errs = append(errs, field.Required(path.Child("nodeID"), ""))
		case len(id) > maxNodeID:
			errs = append(errs, field.Invalid(path.Child("nodeID"), id, fmt.Sprintf("must be %d characters or less", maxNodeID)))
		}
		if n := driver.Allocatable; n != nil && n.Count != nil && *n.Count < 0 {
			errs = append(errs, field.Invalid(path.Child("allocatable", "count"), *n.Count, apivalidation.IsNegativeErrorMsg))
		}
		if names.Has(driver.Name) {
			errs = append(errs, field.Duplicate(path.Child("name"), driver.Name))
		}
		names.Insert(driver.Name)
		errs = append(errs, validateTopologyKeys(driver.TopologyKeys, path)...)
	}
	return errs
}

const maxNodeID = 256

// validateTopologyKeys reports at the driver, as upstream does.
func validateTopologyKeys(keys []string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := sets.New[string]()
	for _, key := range keys {
		if key == "" {
			errs = append(errs, field.Required(path, ""))
		}
		if seen.Has(key) {
			errs = append(errs, field.Duplicate(path, key))
		}
		seen.Insert(key)
		errs = append(errs, fielderrors.Each(path, key, validation.IsQualifiedName(key))...)
	}
	return errs
}

// ValidateCSINodeUpdate judges changed drivers of a node: they come and go, and only
// how many volumes one takes may change.
func ValidateCSINodeUpdate(obj, old *storagev1.CSINode) field.ErrorList {
	errs := ValidateCSINode(obj)
	for _, was := range old.Spec.Drivers {
		for _, is := range obj.Spec.Drivers {
			was.Allocatable, is.Allocatable = nil, nil
			if is.Name == was.Name && !apiequality.Semantic.DeepEqual(is, was) {
				errs = append(errs, field.Invalid(field.NewPath("spec", "drivers"), is, apivalidation.FieldImmutableErrorMsg))
			}
		}
	}
	return errs
}

// ValidateCSIStorageCapacity judges a new statement of a driver about a topology.
func ValidateCSIStorageCapacity(obj *storagev1.CSIStorageCapacity) field.ErrorList {
	return validateCapacity(obj, metav1validation.LabelSelectorValidationOptions{})
}

func validateCapacity(obj *storagev1.CSIStorageCapacity, opts metav1validation.LabelSelectorValidationOptions) field.ErrorList {
	errs := metav1validation.ValidateLabelSelector(obj.NodeTopology, opts, field.NewPath("nodeTopology"))
	errs = append(errs, fielderrors.Each(field.NewPath("storageClassName"), obj.StorageClassName, apivalidation.NameIsDNSSubdomain(obj.StorageClassName, false))...)
	errs = append(errs, validateSize(obj.Capacity, field.NewPath("capacity"))...)
	return append(errs, validateSize(obj.MaximumVolumeSize, field.NewPath("maximumVolumeSize"))...)
}

func validateSize(size *resource.Quantity, path *field.Path) field.ErrorList {
	if size != nil && size.Sign() < 0 {
		return field.ErrorList{field.Invalid(path, size.String(), apivalidation.IsNegativeErrorMsg)}
	}
	return nil
}

// ValidateCSIStorageCapacityUpdate judges a changed statement.
func ValidateCSIStorageCapacityUpdate(obj, old *storagev1.CSIStorageCapacity) field.ErrorList {
	errs := validateCapacity(obj, metav1validation.LabelSelectorValidationOptions{AllowInvalidLabelValueInSelector: hasInvalidValue(old.NodeTopology)})
	errs = append(errs, apivalidation.ValidateImmutableField(obj.NodeTopology, old.NodeTopology, field.NewPath("nodeTopology"))...)
	return append(errs, apivalidation.ValidateImmutableField(obj.StorageClassName, old.StorageClassName, field.NewPath("storageClassName"))...)
}

func hasInvalidValue(sel *metav1.LabelSelector) bool {
	return len(metav1validation.ValidateLabelSelector(sel, metav1validation.LabelSelectorValidationOptions{}, nil)) >
		len(metav1validation.ValidateLabelSelector(sel, metav1validation.LabelSelectorValidationOptions{AllowInvalidLabelValueInSelector: true}, nil))
}
