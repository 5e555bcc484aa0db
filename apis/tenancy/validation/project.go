// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// maxDisplayName is that of tenants too.
const maxDisplayName = 253

// ValidateProject judges a new project. Labels that the server sets may only say what it
// will set.
func ValidateProject(obj *tenancy.Project) field.ErrorList {
	metadata := field.NewPath("metadata")
	var errs field.ErrorList
	if obj.Name == "" && obj.GenerateName == "" {
		errs = append(errs, field.Required(metadata.Child("name"), "name or generateName is required"))
	}
	if obj.GenerateName != "" {
		for _, problem := range apivalidation.ValidateNamespaceName(obj.GenerateName, true) {
			errs = append(errs, field.Invalid(metadata.Child("generateName"), obj.GenerateName, problem))
		}
	}
	if obj.Name != "" {
		for _, problem := range apivalidation.ValidateNamespaceName(obj.Name, false) {
			errs = append(errs, field.Invalid(metadata.Child("name"), obj.Name, problem))
		}
	}
	if obj.Spec.Tenant != "" {
		for _, problem := range ValidateTenantName(obj.Spec.Tenant, false) {
			errs = append(errs, field.Invalid(field.NewPath("spec", "tenant"), obj.Spec.Tenant, problem))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(obj.Labels)) {
		says := obj.Labels[key]
		if reservedLabel(key) && (key != corev1.LabelMetadataName || says != obj.Name) && (key != tenancy.TenantLabel || says != obj.Spec.Tenant) {
			errs = append(errs, field.Forbidden(metadata.Child("labels").Key(key), "can only be set on the namespace"))
		}
	}
	return append(errs, validateProjectContent(obj)...)
}

// ValidateProjectUpdate judges a changed project: the display name and most labels can
// be changed, and nothing else.
func ValidateProjectUpdate(obj, old *tenancy.Project) field.ErrorList {
	metadata := field.NewPath("metadata")
	var errs field.ErrorList
	if obj.Name != old.Name {
		errs = append(errs, field.Invalid(metadata.Child("name"), obj.Name, apivalidation.FieldImmutableErrorMsg))
	}
	if obj.Spec.Tenant != old.Spec.Tenant {
		errs = append(errs, field.Invalid(field.NewPath("spec", "tenant"), obj.Spec.Tenant, apivalidation.FieldImmutableErrorMsg))
	}
	keys := slices.Sorted(maps.Keys(obj.Labels))
	for key := range old.Labels {
		if _, ok := obj.Labels[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		now, has := obj.Labels[key]
		before, had := old.Labels[key]
		if reservedLabel(key) && (has != had || now != before) {
			errs = append(errs, field.Forbidden(metadata.Child("labels").Key(key), "can only be changed on the namespace"))
		}
	}
	return append(errs, validateProjectContent(obj)...)
}

// validateProjectContent judges what both new and changed projects have.
func validateProjectContent(obj *tenancy.Project) field.ErrorList {
	metadata := field.NewPath("metadata")
	errs := metav1validation.ValidateLabels(obj.Labels, metadata.Child("labels"))
	for _, key := range slices.Sorted(maps.Keys(obj.Annotations)) {
		if key != corev1.LastAppliedConfigAnnotation { // of kubectl apply, which must work
			errs = append(errs, field.Forbidden(metadata.Child("annotations").Key(key), "can only be set on the namespace"))
		}
	}
	if len(obj.Finalizers) > 0 {
		errs = append(errs, field.Forbidden(metadata.Child("finalizers"), "can only be set on the namespace"))
	}
	if len(obj.OwnerReferences) > 0 {
		errs = append(errs, field.Forbidden(metadata.Child("ownerReferences"), "can only be set on the namespace"))
	}
	if len(obj.Spec.DisplayName) > maxDisplayName {
		errs = append(errs, field.TooLong(field.NewPath("spec", "displayName"), "", maxDisplayName))
	}
	return errs
}

// reservedLabel says whether a label is for administrators: pod security, networks and
// the tenant are chosen by labels.
func reservedLabel(key string) bool {
	domain, _, ok := strings.Cut(key, "/")
	return ok && slices.ContainsFunc([]string{"kubernetes.io", "k8s.io", tenancy.GroupName}, func(of string) bool {
		return domain == of || strings.HasSuffix(domain, "."+of)
	})
}
