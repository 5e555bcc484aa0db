// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
	"github.com/stoa-project/stoa/apis/tenancy"
)

const (
	maxRoleBindings = 64
	maxSubjects     = 256
	maxTolerations  = 64
)

// ValidateTenantName judges the name of a tenant, which becomes the value of a
// label and a part of names. It has the shape of apimachinery's name functions.
func ValidateTenantName(name string, prefix bool) []string {
	return apivalidation.NameIsDNSLabel(name, prefix)
}

// ValidateTenant judges a tenant, new or changed: everything in the spec of a
// tenant can be changed. Metadata is judged by who stores it.
func ValidateTenant(obj *tenancy.Tenant) field.ErrorList {
	return append(validateReserved(&obj.ObjectMeta), validateTenantSpec(&obj.Spec, field.NewPath("spec"))...)
}

// ValidateTenantStatusUpdate judges a changed status.
func ValidateTenantStatusUpdate(obj, old *tenancy.Tenant) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("status")
	if obj.Status.Phase == tenancy.TenantTerminating && obj.DeletionTimestamp.IsZero() {
		errs = append(errs, field.Invalid(path.Child("phase"), obj.Status.Phase,
			"may only be 'Terminating' if `deletionTimestamp` is not empty"))
	}
	names := path.Child("namespaces", "names")
	for i, name := range obj.Status.Namespaces.Names {
		errs = append(errs, fielderrors.Each(names.Index(i), name, apivalidation.ValidateNamespaceName(name, false))...)
	}
	if count := obj.Status.Namespaces.Count; int(count) < len(obj.Status.Namespaces.Names) && count >= 0 {
		errs = append(errs, field.Invalid(path.Child("namespaces", "count"), count, "must not be less than the number of names"))
	}
	errs = append(errs, validateAmounts(obj.Status.QuotaUsed, path.Child("quotaUsed"))...)
	errs = append(errs, validateObservedGeneration(obj.Status.ObservedGeneration, old.Status.ObservedGeneration, path)...)
	return append(errs, metav1validation.ValidateConditions(obj.Status.Conditions, path.Child("conditions"))...)
}

// validateReserved refuses the annotation that conversion uses. An object of
// the hub carries it only when a user wrote it: in v1alpha1 as something that
// could not be read, in other versions at all.
func validateReserved(meta *metav1.ObjectMeta) field.ErrorList {
	value, ok := meta.Annotations[tenancy.RestAnnotation]
	if !ok {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("metadata", "annotations").Key(tenancy.RestAnnotation), value,
		"is reserved: in v1alpha1 it must hold what the server wrote there, in other versions it must not be set")}
}

func validateObservedGeneration(value, old int64, status *field.Path) field.ErrorList {
	if value >= 0 && value < old {
		return field.ErrorList{field.Invalid(status.Child("observedGeneration"), value, "must not decrease")}
	}
	return nil
}

func validateTenantSpec(spec *tenancy.TenantSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, owner := range spec.Owners {
		errs = append(errs, validateSubject(owner, inAnyNamespace, path.Child("owners").Index(i))...)
	}
	namespaces := path.Child("namespaces")
	errs = append(errs, validateNamespaceLabels(spec.Namespaces.Labels, namespaces.Child("labels"))...)
	errs = append(errs, validateNamespaceAnnotations(spec.Namespaces.Annotations, namespaces.Child("annotations"))...)
	errs = append(errs, validateQuota(spec.Quota.Hard, path.Child("quota", "hard"))...)
	errs = append(errs, validateNamespaceDefaults(&spec.NamespaceDefaults, path.Child("namespaceDefaults"))...)
	return append(errs, validatePlacement(&spec.Placement, path.Child("placement"))...)
}

func validateNamespaceLabels(labels map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		errs = append(errs, validateNotReserved(key, path)...)
	}
	return append(errs, metav1validation.ValidateLabels(labels, path)...)
}

func validateNamespaceAnnotations(annotations map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		errs = append(errs, validateNotReserved(key, path)...)
	}
	return append(errs, apivalidation.ValidateAnnotations(annotations, path)...)
}

// validateNotReserved keeps the keys that the server itself puts on namespaces.
func validateNotReserved(key string, path *field.Path) field.ErrorList {
	domain, _, _ := strings.Cut(key, "/")
	if key == corev1.LabelMetadataName || domain == tenancy.GroupName || strings.HasSuffix(domain, "."+tenancy.GroupName) {
		return field.ErrorList{field.Forbidden(path.Key(key), "is set by the server")}
	}
	return nil
}

func validateNamespaceDefaults(defaults *tenancy.NamespaceDefaults, path *field.Path) field.ErrorList {
	errs := validateQuota(defaults.Quota.Hard, path.Child("quota", "hard"))
	errs = append(errs, validateLimitRange(defaults.LimitRange.Items, path.Child("limitRange", "items"))...)

	bindings := path.Child("roleBindings")
	if len(defaults.RoleBindings) > maxRoleBindings {
		return append(errs, field.TooMany(bindings, len(defaults.RoleBindings), maxRoleBindings))
	}
	seen := map[string]bool{}
	for i, binding := range defaults.RoleBindings {
		at := bindings.Index(i)
		switch {
		case binding.Name == "":
			errs = append(errs, field.Required(at.Child("name"), ""))
		case seen[binding.Name]:
			errs = append(errs, field.Duplicate(at.Child("name"), binding.Name))
		case binding.Name == tenancy.OwnersBinding:
			errs = append(errs, field.Invalid(at.Child("name"), binding.Name, "is the binding of the owners"))
		default:
			errs = append(errs, fielderrors.Each(at.Child("name"), binding.Name, content.IsPathSegmentName(binding.Name))...)
		}
		seen[binding.Name] = true
		errs = append(errs, validateRoleRef(binding.RoleRef, at.Child("roleRef"))...)
		if len(binding.Subjects) > maxSubjects {
			errs = append(errs, field.TooMany(at.Child("subjects"), len(binding.Subjects), maxSubjects))
			continue
		}
		for j, subject := range binding.Subjects {
			errs = append(errs, validateSubject(subject, inNewNamespace, at.Child("subjects").Index(j))...)
		}
	}
	return errs
}
