// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateValidatingAdmissionPolicyBinding judges a binding, new or changed.
func ValidateValidatingAdmissionPolicyBinding(obj *admissionregistrationv1.ValidatingAdmissionPolicyBinding) field.ErrorList {
	at := field.NewPath("spec")
	errs := validateBinding(obj.Spec.PolicyName, obj.Spec.ParamRef, obj.Spec.MatchResources, at)
	for _, err := range errs {
		if obj.Spec.PolicyName == "" && err.Field == "spec.policyName" {
			_ = err.MarkCoveredByDeclarative() // the other kind has no tag that demands it
		}
	}
	return append(errs, validateActions(obj.Spec.ValidationActions, at.Child("validationActions"))...)
}

// ValidateMutatingAdmissionPolicyBinding judges a binding, new or changed.
func ValidateMutatingAdmissionPolicyBinding(obj *admissionregistrationv1.MutatingAdmissionPolicyBinding) field.ErrorList {
	at := field.NewPath("spec")
	errs := validateBinding(obj.Spec.PolicyName, obj.Spec.ParamRef, obj.Spec.MatchResources, at)
	return append(errs, validateMutable(obj.Spec.MatchResources, at.Child("matchResources"))...)
}

func validateBinding(policy string, params *admissionregistrationv1.ParamRef, match *admissionregistrationv1.MatchResources, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if policy == "" {
		errs = append(errs, field.Required(at.Child("policyName"), ""))
	} else {
		errs = append(errs, fielderrors.Each(at.Child("policyName"), policy, apivalidation.NameIsDNSSubdomain(policy, false))...)
	}
	if params != nil {
		errs = append(errs, validateParamRef(params, at.Child("paramRef"))...)
	}
	if match != nil {
		errs = append(errs, validateMatchResources(match, at.Child("matchResources"))...)
	}
	return errs
}

func validateParamRef(ref *admissionregistrationv1.ParamRef, at *field.Path) field.ErrorList {
	const both = "name and selector are mutually exclusive"
	var errs field.ErrorList
	if ref.Name != "" {
		errs = append(errs, fielderrors.Each(at.Child("name"), ref.Name, content.IsPathSegmentName(ref.Name))...)
	}
	errs = append(errs, metav1validation.ValidateLabelSelector(ref.Selector, metav1validation.LabelSelectorValidationOptions{}, at.Child("selector"))...)
	switch {
	case ref.Name != "" && ref.Selector != nil:
		errs = append(errs, field.Forbidden(at.Child("name"), both), field.Forbidden(at.Child("selector"), both))
	case ref.Name == "" && ref.Selector == nil:
		errs = append(errs, field.Required(at, "one of name or selector must be specified"))
	}
	if action := ref.ParameterNotFoundAction; action == nil || *action == "" {
		return append(errs, field.Required(at.Child("parameterNotFoundAction"), ""))
	}
	return append(errs, fielderrors.OneOf(at.Child("parameterNotFoundAction"), *ref.ParameterNotFoundAction, admissionregistrationv1.DenyAction, admissionregistrationv1.AllowAction)...)
}

func validateActions(actions []admissionregistrationv1.ValidationAction, at *field.Path) field.ErrorList {
	if len(actions) == 0 {
		return field.ErrorList{field.Required(at, "at least one validation action is required").MarkCoveredByDeclarative()}
	}
	var errs field.ErrorList
	for i, action := range actions {
		errs = append(errs, fielderrors.OneOf(at.Index(i), action, admissionregistrationv1.Audit, admissionregistrationv1.Deny, admissionregistrationv1.Warn)...)
		if slices.Contains(actions[:i], action) {
			errs = append(errs, field.Duplicate(at.Index(i), action))
		}
	}
	if slices.Contains(actions, admissionregistrationv1.Deny) && slices.Contains(actions, admissionregistrationv1.Warn) {
		errs = append(errs, field.Invalid(at, actions, "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)"))
	}
	return errs
}

func validateMatchResources(m *admissionregistrationv1.MatchResources, at *field.Path) field.ErrorList {
	errs := requiredOf(m.MatchPolicy, at.Child("matchPolicy"), admissionregistrationv1.Equivalent, admissionregistrationv1.Exact)
	strict := metav1validation.LabelSelectorValidationOptions{}
	if m.NamespaceSelector == nil {
		errs = append(errs, field.Required(at.Child("namespaceSelector"), ""))
	}
	errs = append(errs, metav1validation.ValidateLabelSelector(m.NamespaceSelector, strict, at.Child("namespaceSelector"))...)
	if m.ObjectSelector == nil {
		errs = append(errs, field.Required(at.Child("objectSelector"), ""))
	}
	errs = append(errs, metav1validation.ValidateLabelSelector(m.ObjectSelector, strict, at.Child("objectSelector"))...)
	for i := range m.ResourceRules {
		errs = append(errs, validateNamedRule(&m.ResourceRules[i], at.Child("resourceRules").Index(i))...)
	}
	for i := range m.ExcludeResourceRules {
		errs = append(errs, validateNamedRule(&m.ExcludeResourceRules[i], at.Child("excludeResourceRules").Index(i))...)
	}
	return errs
}

func validateNamedRule(rule *admissionregistrationv1.NamedRuleWithOperations, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, name := range rule.ResourceNames {
		at := at.Child("resourceNames").Index(i)
		errs = append(errs, fielderrors.Each(at, name, content.IsPathSegmentName(name))...)
		if slices.Contains(rule.ResourceNames[:i], name) {
			errs = append(errs, field.Duplicate(at, name))
		}
	}
	return append(errs, validateRule(&rule.RuleWithOperations, at)...)
}
