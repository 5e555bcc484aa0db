// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
	"github.com/stoa-project/stoa/apis/tenancy"
)

const unreadSubject = `must be "user:<name>", "group:<name>" or "serviceaccount:<namespace>:<name>"`

// accountScope says whether a service account may leave out its namespace.
type accountScope bool

const (
	// inNewNamespace: no namespace means the one that is being made.
	inNewNamespace accountScope = true
	// inAnyNamespace: the namespace must be said.
	inAnyNamespace accountScope = false
)

func validateSubject(subject rbacv1.Subject, scope accountScope, path *field.Path) field.ErrorList {
	if text, unread := tenancy.UnreadSubjectText(subject); unread {
		if text == "" {
			return field.ErrorList{field.Required(path, unreadSubject)}
		}
		return field.ErrorList{field.Invalid(path, text, unreadSubject)}
	}
	var errs field.ErrorList
	if subject.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), ""))
	}
	switch subject.Kind {
	case rbacv1.ServiceAccountKind:
		return append(errs, validateServiceAccount(subject, scope, path)...)
	case rbacv1.UserKind, rbacv1.GroupKind:
		errs = append(errs, fielderrors.OneOf(path.Child("apiGroup"), subject.APIGroup, rbacv1.GroupName)...)
		if subject.Namespace != "" {
			errs = append(errs, field.Forbidden(path.Child("namespace"), "may only be set for a ServiceAccount"))
		}
		return errs
	case "":
		return append(errs, field.Required(path.Child("kind"), ""))
	default:
		return append(errs, field.NotSupported(path.Child("kind"), subject.Kind,
			[]string{rbacv1.ServiceAccountKind, rbacv1.UserKind, rbacv1.GroupKind}))
	}
}

func validateServiceAccount(subject rbacv1.Subject, scope accountScope, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if subject.Name != "" {
		errs = append(errs, fielderrors.Each(path.Child("name"), subject.Name, apivalidation.ValidateServiceAccountName(subject.Name, false))...)
	}
	errs = append(errs, fielderrors.OneOf(path.Child("apiGroup"), subject.APIGroup, "")...)
	switch {
	case subject.Namespace != "":
		errs = append(errs, fielderrors.Each(path.Child("namespace"), subject.Namespace, apivalidation.ValidateNamespaceName(subject.Namespace, false))...)
	case scope == inAnyNamespace:
		errs = append(errs, field.Required(path.Child("namespace"), ""))
	}
	return errs
}

func validateRoleRef(ref rbacv1.RoleRef, path *field.Path) field.ErrorList {
	errs := fielderrors.OneOf(path.Child("apiGroup"), ref.APIGroup, rbacv1.GroupName)
	errs = append(errs, fielderrors.OneOf(path.Child("kind"), ref.Kind, "Role", "ClusterRole")...)
	if ref.Name == "" {
		return append(errs, field.Required(path.Child("name"), ""))
	}
	return append(errs, fielderrors.Each(path.Child("name"), ref.Name, content.IsPathSegmentName(ref.Name))...)
}

// validateRule judges a rule that holds in one namespace.
func validateRule(rule rbacv1.PolicyRule, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(rule.Verbs) == 0 {
		errs = append(errs, field.Required(path.Child("verbs"), "verbs must contain at least one value"))
	}
	if len(rule.NonResourceURLs) > 0 {
		return append(errs, field.Invalid(path.Child("nonResourceURLs"), rule.NonResourceURLs,
			"namespaced rules cannot apply to non-resource URLs"))
	}
	if len(rule.APIGroups) == 0 {
		errs = append(errs, field.Required(path.Child("apiGroups"), "resource rules must supply at least one api group"))
	}
	if len(rule.Resources) == 0 {
		errs = append(errs, field.Required(path.Child("resources"), "resource rules must supply at least one resource"))
	}
	return errs
}
