// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	appsv1 "k8s.io/api/apps/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidateControllerRevision judges a new revision.
func ValidateControllerRevision(obj *appsv1.ControllerRevision) field.ErrorList {
	var errs field.ErrorList
	if obj.Data.Object == nil && (len(obj.Data.Raw) == 0 || string(obj.Data.Raw) == "null") {
		errs = append(errs, field.Required(field.NewPath("data"), "data is mandatory"))
	}
	return append(errs, apivalidation.ValidateNonnegativeField(obj.Revision, field.NewPath("revision"))...)
}

// ValidateControllerRevisionUpdate judges a changed revision: what it recorded
// stays.
func ValidateControllerRevisionUpdate(obj, old *appsv1.ControllerRevision) field.ErrorList {
	errs := apivalidation.ValidateNonnegativeField(obj.Revision, field.NewPath("revision"))
	return append(errs, apivalidation.ValidateImmutableField(obj.Data, old.Data, field.NewPath("data"))...)
}
