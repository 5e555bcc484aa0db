// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidateName says what is wrong with the name of a role or binding. It may be
// anything that a URL can hold.
func ValidateName(name string, _ bool) []string { return content.IsPathSegmentName(name) }

// ValidateRole judges a role, new or changed.
func ValidateRole(obj *rbacv1.Role) field.ErrorList {
	errs := validateRules(obj.Rules)
	for i, rule := range obj.Rules {
		if len(rule.NonResourceURLs) > 0 {
			errs = append(errs, field.Invalid(field.NewPath("rules").Index(i).Child("nonResourceURLs"), rule.NonResourceURLs,
				"namespaced rules cannot apply to non-resource URLs"))
		}
	}
	return errs
}

// ValidateClusterRole judges a cluster role, new or changed.
func ValidateClusterRole(obj *rbacv1.ClusterRole) field.ErrorList {
	return append(validateRules(obj.Rules), validateAggregation(obj.AggregationRule, metav1validation.LabelSelectorValidationOptions{})...)
}

// ValidateClusterRoleUpdate judges a changed cluster role. One that selects by a
// value that no label can have may keep doing so.
func ValidateClusterRoleUpdate(obj, old *rbacv1.ClusterRole) field.ErrorList {
	strict := metav1validation.LabelSelectorValidationOptions{}
	tolerant := metav1validation.LabelSelectorValidationOptions{
		AllowInvalidLabelValueInSelector: len(validateAggregation(old.AggregationRule, strict)) > 0,
	}
	return append(validateRules(obj.Rules), validateAggregation(obj.AggregationRule, tolerant)...)
}

func validateRules(rules []rbacv1.PolicyRule) field.ErrorList {
	var errs field.ErrorList
	for i, rule := range rules {
		errs = append(errs, validateRule(rule, field.NewPath("rules").Index(i))...)
	}
	return errs
}

func validateRule(rule rbacv1.PolicyRule, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(rule.Verbs) == 0 {
		errs = append(errs, field.Required(at.Child("verbs"), "verbs must contain at least one value").MarkCoveredByDeclarative())
	}
	if len(rule.NonResourceURLs) > 0 {
		if len(rule.APIGroups) > 0 || len(rule.Resources) > 0 || len(rule.ResourceNames) > 0 {
			errs = append(errs, field.Invalid(at.Child("nonResourceURLs"), rule.NonResourceURLs,
				"rules cannot apply to both regular resources and non-resource URLs"))
		}
		return errs
	}
	if len(rule.APIGroups) == 0 {
		errs = append(errs, field.Required(at.Child("apiGroups"), "resource rules must supply at least one api group"))
	}
	if len(rule.Resources) == 0 {
		errs = append(errs, field.Required(at.Child("resources"), "resource rules must supply at least one resource"))
	}
	return errs
}

func validateAggregation(rule *rbacv1.AggregationRule, opts metav1validation.LabelSelectorValidationOptions) field.ErrorList {
	if rule == nil {
		return nil
	}
	at := field.NewPath("aggregationRule", "clusterRoleSelectors")
	if len(rule.ClusterRoleSelectors) == 0 {
		return field.ErrorList{field.Required(at, "at least one clusterRoleSelector required if aggregationRule is non-nil")}
	}
	var errs field.ErrorList
	for i := range rule.ClusterRoleSelectors {
		one := &rule.ClusterRoleSelectors[i]
		errs = append(errs, metav1validation.ValidateLabelSelector(one, opts, at.Index(i))...)
		if selector, err := metav1.LabelSelectorAsSelector(one); err != nil {
			errs = append(errs, field.Invalid(at.Index(i), selector, "invalid label selector."))
		}
	}
	return errs
}
