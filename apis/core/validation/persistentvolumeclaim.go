// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
	"github.com/stoa-project/stoa/apis/hubtext"
)

// ClaimOptions loosens rules that older versions did not have, so that claims that
// broke them before they came can still be updated. The zero value is for new ones.
type ClaimOptions struct {
	// AllowInvalidSelectorValues lets the selector have values no label can have.
	AllowInvalidSelectorValues bool
	// AllowInvalidAPIGroup lets the sources of data be of groups that cannot exist.
	AllowInvalidAPIGroup bool
}

func claimOptions(old *corev1.PersistentVolumeClaimSpec) ClaimOptions {
	return ClaimOptions{
		AllowInvalidSelectorValues: len(metav1validation.ValidateLabelSelector(old.Selector, metav1validation.LabelSelectorValidationOptions{}, nil)) > 0,
		AllowInvalidAPIGroup: old.DataSource != nil && old.DataSource.APIGroup != nil ||
			old.DataSourceRef != nil && old.DataSourceRef.APIGroup != nil,
	}
}

// ValidatePersistentVolumeClaim judges a new claim.
func ValidatePersistentVolumeClaim(obj *corev1.PersistentVolumeClaim) field.ErrorList {
	return ValidatePersistentVolumeClaimSpec(&obj.Spec, field.NewPath("spec"), ClaimOptions{})
}

// ValidatePersistentVolumeClaimTemplate judges what the claims of an ephemeral
// volume are made of.
func ValidatePersistentVolumeClaimTemplate(template *corev1.PersistentVolumeClaimTemplate, path *field.Path) field.ErrorList {
	errs := validateTemplateMetadata(&template.ObjectMeta, path.Child("metadata"))
	return append(errs, ValidatePersistentVolumeClaimSpec(&template.Spec, path.Child("spec"), ClaimOptions{})...)
}

// ValidatePersistentVolumeClaimSpec judges the spec of a claim or template.
func ValidatePersistentVolumeClaimSpec(spec *corev1.PersistentVolumeClaimSpec, path *field.Path, opts ClaimOptions) field.ErrorList {
	var errs field.ErrorList
	modes := path.Child("accessModes")
	if len(spec.AccessModes) == 0 {
		errs = append(errs, field.Required(modes, "at least 1 access mode is required"))
	}
	errs = append(errs, metav1validation.ValidateLabelSelector(spec.Selector,
		metav1validation.LabelSelectorValidationOptions{AllowInvalidLabelValueInSelector: opts.AllowInvalidSelectorValues}, path.Child("selector"))...)
	errs = append(errs, validateAccessModes(spec.AccessModes, modes)...)
	errs = append(errs, validateClaimedStorage(spec.Resources.Requests, path.Child("resources").Key(string(corev1.ResourceStorage)))...)
	if class := spec.StorageClassName; class != nil && *class != "" {
		errs = append(errs, validateClassName(*class, path.Child("storageClassName"))...)
	}
	if spec.VolumeMode != nil {
		errs = append(errs, validateVolumeMode(*spec.VolumeMode, path.Child("volumeMode"))...)
	}
	errs = append(errs, validateDataSources(spec, path, opts)...)
	if class := spec.VolumeAttributesClassName; class != nil && *class != "" {
		errs = append(errs, validateClassName(*class, path.Child("volumeAttributesClassName"))...)
	}
	return errs
}

func validateAccessModes(modes []corev1.PersistentVolumeAccessMode, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	alone, shared := false, false
	for _, mode := range modes {
		wrong := fielderrors.OneOf(path, mode, corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOnce, corev1.ReadWriteOncePod)
		errs = append(errs, wrong...)
		alone = alone || mode == corev1.ReadWriteOncePod
		shared = shared || mode != corev1.ReadWriteOncePod && len(wrong) == 0
	}
	if alone && shared {
		errs = append(errs, field.Forbidden(path, "may not use ReadWriteOncePod with other access modes"))
	}
	return errs
}

func validateVolumeMode(mode corev1.PersistentVolumeMode, path *field.Path) field.ErrorList {
	return fielderrors.OneOf(path, mode, corev1.PersistentVolumeBlock, corev1.PersistentVolumeFilesystem)
}

func validateClassName(name string, path *field.Path) field.ErrorList {
	return fielderrors.Each(path, name, apivalidation.NameIsDNSSubdomain(name, false))
}

func validateClaimedStorage(requests corev1.ResourceList, path *field.Path) field.ErrorList {
	size, ok := requests[corev1.ResourceStorage]
	if !ok {
		return field.ErrorList{field.Required(path, "")}
	}
	if errs := validatePositiveQuantity(size, path); len(errs) > 0 {
		return errs
	}
	return ValidateResourceQuantityValue(corev1.ResourceStorage, size, path)
}

func validatePositiveQuantity(value resource.Quantity, path *field.Path) field.ErrorList {
	if value.Sign() <= 0 {
		return field.ErrorList{field.Invalid(path, value.String(), "must be greater than zero")}
	}
	return nil
}

// validateBasicQuantity refuses quantities below 0, but not all fractions.
func validateBasicQuantity(value resource.Quantity, path *field.Path) field.ErrorList {
	if value.Value() < 0 {
		return field.ErrorList{field.Invalid(path, value.Value(), "must be a valid resource quantity")}
	}
	return nil
}

// validateDataSources judges the two fields for what a volume is filled with, which
// must agree as long as the newer one says nothing the older one cannot.
func validateDataSources(spec *corev1.PersistentVolumeClaimSpec, path *field.Path, opts ClaimOptions) field.ErrorList {
	var errs field.ErrorList
	source, ref := spec.DataSource, spec.DataSourceRef
	if source != nil {
		errs = append(errs, validateDataSource(*source, path.Child("dataSource"), opts)...)
	}
	if ref == nil {
		return errs
	}
	same := corev1.TypedLocalObjectReference{APIGroup: ref.APIGroup, Kind: ref.Kind, Name: ref.Name}
	errs = append(errs, validateDataSource(same, path.Child("dataSourceRef"), opts)...)
	foreign := ref.Namespace != nil && *ref.Namespace != ""
	if foreign {
		errs = append(errs, fielderrors.Each(path.Child("dataSourceRef", "namespace"), *ref.Namespace, apivalidation.ValidateNamespaceName(*ref.Namespace, false))...)
	}
	switch { // upstream gives the path as the value
	case source == nil:
	case foreign:
		errs = append(errs, field.Invalid(path, path.Child("dataSource"), "may not be specified when dataSourceRef.namespace is specified"))
	case !apiequality.Semantic.DeepEqual(*source, same):
		errs = append(errs, field.Invalid(path, path.Child("dataSource"), "must match dataSourceRef"))
	}
	return errs
}

func validateDataSource(source corev1.TypedLocalObjectReference, path *field.Path, opts ClaimOptions) field.ErrorList {
	errs := requireFields(path, "name", source.Name, "kind", source.Kind)
	group := ""
	if source.APIGroup != nil {
		group = *source.APIGroup
	}
	switch {
	case group == "" && source.Kind != "PersistentVolumeClaim":
		errs = append(errs, field.Invalid(path, source.Kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
	case group != "" && !opts.AllowInvalidAPIGroup:
		errs = append(errs, fielderrors.Each(path.Child("apiGroup"), group, validation.IsDNS1123Subdomain(group))...)
	}
	return errs
}

// ValidatePersistentVolumeClaimUpdate judges a changed claim. Of its spec, a bound
// one may change its size and class of attributes; any may get a volume and a
// storage class once.
func ValidatePersistentVolumeClaimUpdate(obj, old *corev1.PersistentVolumeClaim) field.ErrorList {
	path := field.NewPath("spec")
	errs := ValidatePersistentVolumeClaimSpec(&obj.Spec, path, claimOptions(&old.Spec))

	spec, before := obj.Spec.DeepCopy(), old.Spec.DeepCopy()
	if before.VolumeName == "" {
		before.VolumeName = spec.VolumeName
	}
	if classGiven(obj, old) {
		spec.StorageClassName = nil
	} else {
		errs = append(errs, validateImmutableAnnotation(obj, old, corev1.BetaStorageClassAnnotation)...)
		if annotated, ok := old.Annotations[corev1.BetaStorageClassAnnotation]; before.StorageClassName == nil &&
			spec.StorageClassName != nil && (!ok || annotated == *spec.StorageClassName) {
			spec.StorageClassName = nil
		}
	}
	if obj.Status.Phase == corev1.ClaimBound {
		if spec.Resources.Requests != nil {
			spec.Resources.Requests[corev1.ResourceStorage] = before.Resources.Requests[corev1.ResourceStorage]
		}
		if spec.VolumeAttributesClassName != nil {
			spec.VolumeAttributesClassName = before.VolumeAttributesClassName
		}
	}
	if !apiequality.Semantic.DeepEqual(spec, before) {
		errs = append(errs, field.Forbidden(path,
			"spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"+hubtext.Diff(before, spec)))
	}

	// A size that could not be reached may be taken back, but not all the way.
	size, oldSize := obj.Spec.Resources.Requests[corev1.ResourceStorage], old.Spec.Resources.Requests[corev1.ResourceStorage]
	if size.Cmp(oldSize) < 0 && size.Cmp(old.Status.Capacity[corev1.ResourceStorage]) <= 0 {
		errs = append(errs, field.Forbidden(path.Child("resources", "requests", "storage"), "field can not be less than status.capacity"))
	}
	errs = append(errs, apivalidation.ValidateImmutableField(obj.Spec.VolumeMode, old.Spec.VolumeMode, field.NewPath("volumeMode"))...)
	return append(errs, validateAttributesClassChange(obj.Spec.VolumeAttributesClassName, old.Spec.VolumeAttributesClassName, path)...)
}

// classGiven says that the class of an old claim moves from the annotation to the field.
func classGiven(obj, old *corev1.PersistentVolumeClaim) bool {
	was, ok := old.Annotations[corev1.BetaStorageClassAnnotation]
	is, kept := obj.Annotations[corev1.BetaStorageClassAnnotation]
	return ok && old.Spec.StorageClassName == nil && obj.Spec.StorageClassName != nil && *obj.Spec.StorageClassName == was && (!kept || is == was)
}

func validateImmutableAnnotation(obj, old metav1.Object, name string) field.ErrorList {
	if value := obj.GetAnnotations()[name]; value != old.GetAnnotations()[name] {
		return field.ErrorList{field.Invalid(field.NewPath("metadata", "annotations").Key(name), value, apivalidation.FieldImmutableErrorMsg)}
	}
	return nil
}

func validateAttributesClassChange(class, old *string, path *field.Path) field.ErrorList {
	path = path.Child("volumeAttributesClassName")
	switch {
	case old == nil:
	case class == nil:
		return field.ErrorList{field.Forbidden(path, "update from non-nil value to nil is forbidden")}
	case *class == "" && *old != "":
		return field.ErrorList{field.Forbidden(path, "update from non-nil value to an empty string is forbidden")}
	}
	return nil
}

// ValidatePersistentVolumeClaimStatus judges a changed status.
func ValidatePersistentVolumeClaimStatus(obj *corev1.PersistentVolumeClaim) field.ErrorList {
	var errs field.ErrorList
	if obj.ResourceVersion == "" {
		errs = append(errs, field.Required(field.NewPath("resourceVersion"), ""))
	}
	if len(obj.Spec.AccessModes) == 0 {
		errs = append(errs, field.Required(field.NewPath("Spec", "accessModes"), ""))
	}
	path := field.NewPath("status")
	status := &obj.Status
	for _, name := range slices.Sorted(maps.Keys(status.Capacity)) {
		errs = append(errs, validateBasicQuantity(status.Capacity[name], path.Child("capacity").Key(string(name)))...)
	}
	resizes := path.Child("allocatedResourceStatuses")
	for _, name := range slices.Sorted(maps.Keys(status.AllocatedResourceStatuses)) {
		errs = append(errs, validateClaimResource(name, resizes)...)
		states := []corev1.ClaimResourceStatus{
			corev1.PersistentVolumeClaimControllerResizeInProgress, corev1.PersistentVolumeClaimControllerResizeInfeasible,
			corev1.PersistentVolumeClaimNodeResizeInProgress, corev1.PersistentVolumeClaimNodeResizeInfeasible, corev1.PersistentVolumeClaimNodeResizePending,
		}
		if !slices.Contains(states, status.AllocatedResourceStatuses[name]) {
			errs = append(errs, field.NotSupported(resizes, name, states))
		}
	}
	allocated := path.Child("allocatedResources")
	for _, name := range slices.Sorted(maps.Keys(status.AllocatedResources)) {
		size := status.AllocatedResources[name]
		wrong := validateClaimResource(name, allocated)
		if len(wrong) == 0 {
			wrong = validateBasicQuantity(size, allocated.Key(string(name)))
		}
		if len(wrong) == 0 {
			wrong = ValidateResourceQuantityValue(corev1.ResourceStorage, size, allocated.Key(string(name)))
		}
		errs = append(errs, wrong...)
	}
	return errs
}

// validateClaimResource wants storage, or a resource of someone else's.
func validateClaimResource(name corev1.ResourceName, path *field.Path) field.ErrorList {
	if errs := fielderrors.Each(path, string(name), validation.IsQualifiedName(string(name))); len(errs) > 0 {
		return errs
	}
	if IsNativeResource(name) && name != corev1.ResourceStorage {
		return field.ErrorList{field.NotSupported(path, string(name), []corev1.ResourceName{corev1.ResourceStorage})}
	}
	return nil
}
