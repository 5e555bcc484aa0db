// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	rbacv1 "k8s.io/api/rbac/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateRoleBinding judges a new role binding.
func ValidateRoleBinding(obj *rbacv1.RoleBinding) field.ErrorList {
	return append(validateRoleRef(obj.RoleRef, "Role", "ClusterRole"), validateSubjects(obj.Subjects, obj.Namespace)...)
}

// ValidateRoleBindingUpdate judges a changed role binding.
func ValidateRoleBindingUpdate(obj, old *rbacv1.RoleBinding) field.ErrorList {
	return append(ValidateRoleBinding(obj), validateSameRole(obj.RoleRef, old.RoleRef)...)
}

// ValidateClusterRoleBinding judges a new cluster role binding.
func ValidateClusterRoleBinding(obj *rbacv1.ClusterRoleBinding) field.ErrorList {
	return append(validateRoleRef(obj.RoleRef, "ClusterRole"), validateSubjects(obj.Subjects, "")...)
}

// ValidateClusterRoleBindingUpdate judges a changed cluster role binding.
func ValidateClusterRoleBindingUpdate(obj, old *rbacv1.ClusterRoleBinding) field.ErrorList {
	return append(ValidateClusterRoleBinding(obj), validateSameRole(obj.RoleRef, old.RoleRef)...)
}

// validateSameRole keeps who may change the subjects of a binding from granting
// them another role.
func validateSameRole(ref, old rbacv1.RoleRef) field.ErrorList {
	if ref == old {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("roleRef"), ref, apivalidation.FieldImmutableErrorMsg).
		WithOrigin("immutable").MarkCoveredByDeclarative().MarkAlpha()}
}

func validateRoleRef(ref rbacv1.RoleRef, kinds ...string) field.ErrorList {
	at := field.NewPath("roleRef")
	errs := fielderrors.OneOf(at.Child("apiGroup"), ref.APIGroup, rbacv1.GroupName)
	errs = append(errs, fielderrors.OneOf(at.Child("kind"), ref.Kind, kinds...)...)
	if ref.Name == "" {
		return append(errs, field.Required(at.Child("name"), "").MarkCoveredByDeclarative())
	}
	return append(errs, fielderrors.Each(at.Child("name"), ref.Name, ValidateName(ref.Name, false))...)
}

// validateSubjects judges the subjects of a binding in a namespace, or in none.
func validateSubjects(subjects []rbacv1.Subject, namespace string) field.ErrorList {
	var errs field.ErrorList
	for i, s := range subjects {
		at := field.NewPath("subjects").Index(i)
		if s.Name == "" {
			errs = append(errs, field.Required(at.Child("name"), "").MarkCoveredByDeclarative())
		}
		switch s.Kind {
		case rbacv1.ServiceAccountKind:
			errs = append(errs, validateAccount(s, namespace, at)...)
		case rbacv1.UserKind, rbacv1.GroupKind:
			errs = append(errs, fielderrors.OneOf(at.Child("apiGroup"), s.APIGroup, rbacv1.GroupName)...)
		default:
			errs = append(errs, field.NotSupported(at.Child("kind"), s.Kind,
				[]string{rbacv1.ServiceAccountKind, rbacv1.UserKind, rbacv1.GroupKind}))
		}
	}
	return errs
}

func validateAccount(s rbacv1.Subject, namespace string, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.Name != "" {
		errs = append(errs, fielderrors.Each(at.Child("name"), s.Name, apivalidation.ValidateServiceAccountName(s.Name, false))...)
	}
	errs = append(errs, fielderrors.OneOf(at.Child("apiGroup"), s.APIGroup, "")...)
	if namespace == "" && s.Namespace == "" {
		errs = append(errs, field.Required(at.Child("namespace"), ""))
	}
	return errs
}
