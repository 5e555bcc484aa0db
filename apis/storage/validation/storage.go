// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateStorageClass judges a new class.
func ValidateStorageClass(obj *storagev1.StorageClass) field.ErrorList {
	errs := validateDriver(obj.Provisioner, field.NewPath("provisioner"))
	errs = append(errs, validateParameters(obj.Parameters, field.NewPath("parameters"))...)
	if policy := obj.ReclaimPolicy; policy != nil && *policy != "" {
		errs = append(errs, fielderrors.OneOf(field.NewPath("reclaimPolicy"), *policy, corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRetain)...)
	}
	if mode, path := obj.VolumeBindingMode, field.NewPath("volumeBindingMode"); mode == nil {
		errs = append(errs, field.Required(path, ""))
	} else {
		errs = append(errs, fielderrors.OneOf(path, *mode, storagev1.VolumeBindingImmediate, storagev1.VolumeBindingWaitForFirstConsumer)...)
	}
	return append(errs, validateTopologies(obj.AllowedTopologies, field.NewPath("allowedTopologies"))...)
}

// ValidateStorageClassUpdate judges a changed class. The tags of the type say too
// what of it is immutable.
func ValidateStorageClassUpdate(obj, old *storagev1.StorageClass) field.ErrorList {
	errs := ValidateStorageClass(obj)
	for _, part := range []struct {
		name     string
		now, was any
	}{
		{"parameters", obj.Parameters, old.Parameters},
		{"provisioner", obj.Provisioner, old.Provisioner},
		{"reclaimPolicy", obj.ReclaimPolicy, old.ReclaimPolicy},
		{"volumeBindingMode", obj.VolumeBindingMode, old.VolumeBindingMode},
	} {
		errs = append(errs, apivalidation.ValidateImmutableField(part.now, part.was, field.NewPath(part.name)).
			WithOrigin("immutable").MarkCoveredByDeclarative().MarkBeta()...)
	}
	return errs
}

// validateDriver wants the qualified name of a driver, which may have capitals.
func validateDriver(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "").MarkCoveredByDeclarative().MarkBeta()}
	}
	name = strings.ToLower(name)
	return fielderrors.Each(path, name, validation.IsQualifiedName(name))
}

const (
	maxParameters    = 512
	maxParameterSize = 256 << 10
)

// validateParameters leaves the parameters to the driver, but for their amount.
func validateParameters(parameters map[string]string, path *field.Path) field.ErrorList {
	if len(parameters) > maxParameters {
		return field.ErrorList{field.TooLong(path, "" /* not printed */, maxParameters)}
	}
	var errs field.ErrorList
	size := 0
	for _, key := range slices.Sorted(maps.Keys(parameters)) {
		if key == "" {
			errs = append(errs, field.Invalid(path, key, "field can not be empty."))
		}
		size += len(key) + len(parameters[key])
	}
	if size > maxParameterSize {
		errs = append(errs, field.TooLong(path, "" /* not printed */, maxParameterSize))
	}
	return errs
}

// validateTopologies refuses terms that say the same as another, or nothing.
func validateTopologies(terms []corev1.TopologySelectorTerm, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := []map[string]sets.Set[string]{nil}
	for i, term := range terms {
		at := path.Index(i).Child("matchLabelExpressions")
		labels, wrong := validateTopology(term.MatchLabelExpressions, at)
		errs = append(errs, wrong...)
		for _, other := range seen {
			if apiequality.Semantic.DeepEqual(labels, other) {
				errs = append(errs, field.Duplicate(at, ""))
			}
		}
		seen = append(seen, labels)
	}
	return errs
}

// validateTopology also returns the labels with the values they may have.
func validateTopology(exprs []corev1.TopologySelectorLabelRequirement, path *field.Path) (map[string]sets.Set[string], field.ErrorList) {
	var errs field.ErrorList
	labels := map[string]sets.Set[string]{}
	for i, expr := range exprs {
		at := path.Index(i)
		values := sets.New[string]()
		if len(expr.Values) == 0 {
			errs = append(errs, field.Required(at.Child("values"), ""))
		}
		for j, value := range expr.Values {
			if values.Has(value) {
				errs = append(errs, field.Duplicate(at.Child("values").Index(j), value))
			}
			values.Insert(value)
		}
		errs = append(errs, metav1validation.ValidateLabelName(expr.Key, at.Child("key"))...)
		if _, ok := labels[expr.Key]; ok {
			errs = append(errs, field.Duplicate(at.Child("key"), expr.Key))
		}
		labels[expr.Key] = values
	}
	return labels, errs
}

// ValidateVolumeAttributesClass judges a new class of attributes.
func ValidateVolumeAttributesClass(obj *storagev1.VolumeAttributesClass) field.ErrorList {
	driver, parameters := field.NewPath("driverName"), field.NewPath("parameters")
	var errs field.ErrorList
	if obj.DriverName == "" {
		errs = append(errs, field.Required(driver, ""))
	} else {
		errs = append(errs, validateDriver(obj.DriverName, driver)...)
	}
	if len(obj.Parameters) == 0 {
		errs = append(errs, field.Required(parameters, "must contain at least one key/value pair"))
	}
	return append(errs, validateParameters(obj.Parameters, parameters)...)
}

// ValidateVolumeAttributesClassUpdate judges a changed class of attributes, all of
// which stay.
func ValidateVolumeAttributesClassUpdate(obj, old *storagev1.VolumeAttributesClass) field.ErrorList {
	errs := ValidateVolumeAttributesClass(obj)
	if obj.DriverName != old.DriverName {
		errs = append(errs, field.Forbidden(field.NewPath("driverName"), "updates to driverName are forbidden."))
	}
	if !maps.Equal(obj.Parameters, old.Parameters) {
		errs = append(errs, field.Forbidden(field.NewPath("parameters"), "updates to parameters are forbidden."))
	}
	return errs
}

// ValidateVolumeAttachment judges a new attachment.
func ValidateVolumeAttachment(obj *storagev1.VolumeAttachment) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateAttachment(obj)
	if obj.Spec.Attacher != "" { // the tags of the type say the same, in better words
		errs = append(errs, corevalidation.ValidateCSIDriverName(obj.Spec.Attacher, path.Child("attacher")).MarkCoveredByDeclarative().MarkBeta()...)
	}
	if name := obj.Spec.Source.PersistentVolumeName; name != nil {
		errs = append(errs, fielderrors.Each(path.Child("source", "persistentVolumeName"), *name, apivalidation.NameIsDNSSubdomain(*name, false))...)
	}
	return errs
}

// validateAttachment is what old attachments satisfy too.
func validateAttachment(obj *storagev1.VolumeAttachment) field.ErrorList {
	path := field.NewPath("spec")
	var errs field.ErrorList
	if obj.Spec.Attacher == "" {
		errs = append(errs, field.Required(path.Child("attacher"), "").MarkCoveredByDeclarative().MarkBeta())
	}
	errs = append(errs, validateAttached(&obj.Spec.Source, path.Child("source"))...)
	errs = append(errs, fielderrors.Each(path.Child("nodeName"), obj.Spec.NodeName, apivalidation.NameIsDNSSubdomain(obj.Spec.NodeName, false))...)
	return append(errs, validateAttachmentStatus(&obj.Status, field.NewPath("status"))...)
}

func validateAttached(source *storagev1.VolumeAttachmentSource, path *field.Path) field.ErrorList {
	const one = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
	inline, name := source.InlineVolumeSpec, source.PersistentVolumeName
	switch {
	case inline == nil && name == nil:
		return field.ErrorList{field.Required(path, one)}
	case inline != nil && name != nil:
		return field.ErrorList{field.Forbidden(path, one)}
	case inline != nil:
		return corevalidation.ValidateInlineVolumeSpec(inline, path.Child("inlineVolumeSpec"))
	case *name == "":
		return field.ErrorList{field.Required(path.Child("persistentVolumeName"), "must specify non empty persistentVolumeName")}
	}
	return nil
}

// ValidateVolumeAttachmentUpdate judges a changed attachment, whose spec stays. It
// judges a changed status too.
func ValidateVolumeAttachmentUpdate(obj, old *storagev1.VolumeAttachment) field.ErrorList {
	errs := validateAttachment(obj)
	return append(errs, apivalidation.ValidateImmutableField(obj.Spec, old.Spec, field.NewPath("spec")).
		WithOrigin("immutable").MarkCoveredByDeclarative().MarkBeta()...)
}

const maxErrorSize = 1024

func validateAttachmentStatus(status *storagev1.VolumeAttachmentStatus, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	size := 0
	for key, value := range status.AttachmentMetadata {
		size += len(key) + len(value)
	}
	if size > maxParameterSize {
		errs = append(errs, field.TooLong(path.Child("attachmentMetadata"), "" /* not printed */, maxParameterSize))
	}
	errs = append(errs, validateVolumeError(status.AttachError, path.Child("attachError"))...)
	return append(errs, validateVolumeError(status.DetachError, path.Child("detachError"))...)
}

// validateVolumeError names another limit for messages than it has, as upstream does.
func validateVolumeError(e *storagev1.VolumeError, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if e == nil {
		return nil
	}
	if len(e.Message) > maxErrorSize {
		errs = append(errs, field.TooLong(path.Child("message"), "" /* not printed */, maxParameterSize))
	}
	if e.ErrorCode != nil && *e.ErrorCode < 0 {
		errs = append(errs, field.Invalid(path.Child("errorCode"), *e.ErrorCode, validation.InclusiveRangeError(0, 1<<31-1)))
	}
	return errs
}
