// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	storagemigrationv1 "k8s.io/api/storagemigration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateStorageVersionMigration judges a new migration.
func ValidateStorageVersionMigration(obj *storagemigrationv1.StorageVersionMigration) field.ErrorList {
	path := field.NewPath("spec", "resource")
	var errs field.ErrorList
	if name := obj.Spec.Resource.Resource; name == "" {
		errs = append(errs, field.Required(path.Child("resource"), "resource is required to be set"))
	} else {
		errs = append(errs, fielderrors.Each(path.Child("resource"), name, validation.IsDNS1035Label(name))...)
	}
	if group := obj.Spec.Resource.Group; group != "" {
		errs = append(errs, fielderrors.Each(path.Child("group"), group, validation.IsDNS1123Subdomain(group))...)
	}
	return errs
}

// ValidateStorageVersionMigrationUpdate judges a changed migration, whose spec stays.
func ValidateStorageVersionMigrationUpdate(obj, old *storagemigrationv1.StorageVersionMigration) field.ErrorList {
	errs := ValidateStorageVersionMigration(obj)
	return append(errs, apivalidation.ValidateImmutableField(obj.Spec, old.Spec, field.NewPath("spec"))...)
}

// ValidateStorageVersionMigrationStatus judges how far a migration is. One that has
// ended stays so, and has ended in one way.
func ValidateStorageVersionMigrationStatus(obj, old *storagemigrationv1.StorageVersionMigration) field.ErrorList {
	path := field.NewPath("status")
	version, oldVersion := obj.Status.ResourceVersion, old.Status.ResourceVersion
	var errs field.ErrorList
	if version != "" {
		if _, err := resourceversion.CompareResourceVersion(version, version); err != nil {
			errs = append(errs, field.Invalid(path.Child("resourceVersion"), version, err.Error()))
		}
	}
	conditions := path.Child("conditions")
	errs = append(errs, metav1validation.ValidateConditions(obj.Status.Conditions, conditions)...)
	if oldVersion != "" {
		errs = append(errs, apivalidation.ValidateImmutableField(version, oldVersion, path.Child("resourceVersion"))...)
	}
	is := func(obj *storagemigrationv1.StorageVersionMigration, condition storagemigrationv1.MigrationConditionType) bool {
		return meta.IsStatusConditionTrue(obj.Status.Conditions, string(condition))
	}
	succeeded, failed, running := is(obj, storagemigrationv1.MigrationSucceeded), is(obj, storagemigrationv1.MigrationFailed), is(obj, storagemigrationv1.MigrationRunning)
	for _, rule := range []struct {
		broken bool
		why    string
	}{
		{succeeded && failed, "Both success and failed conditions cannot be true at the same time"},
		{succeeded && running, "Running condition cannot be true when success condition is true"},
		{failed && running, "Running condition cannot be true when failed condition is true"},
		{is(old, storagemigrationv1.MigrationSucceeded) && !succeeded, "Success condition cannot be set to false once it is true"},
		{is(old, storagemigrationv1.MigrationFailed) && !failed, "Failed condition cannot be set to false once it is true"},
	} {
		if rule.broken {
			errs = append(errs, field.Invalid(conditions, obj.Status.Conditions, rule.why))
		}
	}
	return errs
}
