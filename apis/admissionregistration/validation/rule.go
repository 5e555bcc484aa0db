// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

func supportedIfSet[T ~string](value *T, at *field.Path, values ...T) field.ErrorList {
	if value == nil {
		return nil
	}
	return fielderrors.OneOf(at, *value, values...)
}

func requiredOf[T ~string](value *T, at *field.Path, values ...T) field.ErrorList {
	if value == nil {
		return field.ErrorList{field.Required(at, "")}
	}
	return fielderrors.OneOf(at, *value, values...)
}

func validateRule(rule *admissionregistrationv1.RuleWithOperations, at *field.Path) field.ErrorList {
	errs := validateList(rule.Operations, at.Child("operations"), "operations")
	for i, o := range rule.Operations {
		errs = append(errs, fielderrors.OneOf(at.Child("operations").Index(i), o, admissionregistrationv1.OperationAll, admissionregistrationv1.Connect, admissionregistrationv1.Create, admissionregistrationv1.Delete, admissionregistrationv1.Update)...)
	}
	// A group may be "", the core group.
	errs = append(errs, validateList(rule.APIGroups, at.Child("apiGroups"), "API groups")...)
	errs = append(errs, validateList(rule.APIVersions, at.Child("apiVersions"), "API versions")...)
	for i, version := range rule.APIVersions {
		if version == "" {
			errs = append(errs, field.Required(at.Child("apiVersions").Index(i), ""))
		}
	}
	errs = append(errs, validateResources(rule.Resources, at.Child("resources"))...)
	return append(errs, supportedIfSet(rule.Scope, at.Child("scope"), admissionregistrationv1.AllScopes, admissionregistrationv1.ClusterScope, admissionregistrationv1.NamespacedScope)...)
}

// validateList demands an item, and no other beside "*".
func validateList[T ~string](items []T, at *field.Path, what string) field.ErrorList {
	switch {
	case len(items) == 0:
		return field.ErrorList{field.Required(at, "")}
	case len(items) > 1 && slices.Contains(items, "*"):
		return field.ErrorList{field.Invalid(at, items, "if '*' is present, must not specify other "+what)}
	}
	return nil
}

// validateResources demands that no resource is covered by a wildcard before it.
func validateResources(resources []string, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(resources) == 0 {
		errs = append(errs, field.Required(at, ""))
	}
	anySub, anyResource, plain := map[string]bool{}, map[string]bool{}, false
	for i, name := range resources {
		if name == "" {
			errs = append(errs, field.Required(at.Index(i), ""))
			continue
		}
		resource, sub, ok := strings.Cut(name, "/")
		if !ok {
			plain = name != "*" // the last of them counts, as upstream
			continue
		}
		if anySub[resource] {
			errs = append(errs, field.Invalid(at.Index(i), name, fmt.Sprintf("if '%s/*' is present, must not specify %s", resource, name)))
		}
		if anyResource[sub] {
			errs = append(errs, field.Invalid(at.Index(i), name, fmt.Sprintf("if '*/%s' is present, must not specify %s", sub, name)))
		}
		anySub[resource] = anySub[resource] || sub == "*"
		anyResource[sub] = anyResource[sub] || resource == "*"
	}
	if len(resources) > 1 && slices.Contains(resources, "*/*") {
		errs = append(errs, field.Invalid(at, resources, "if '*/*' is present, must not specify other resources"))
	}
	if slices.Contains(resources, "*") && plain {
		errs = append(errs, field.Invalid(at, resources, "if '*' is present, must not specify other resources without subresources"))
	}
	return errs
}
