// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

const (
	required  = "requiredDuringSchedulingIgnoredDuringExecution"
	preferred = "preferredDuringSchedulingIgnoredDuringExecution"

	noOperator = "not a valid selector operator"
)

func validateAffinity(affinity *corev1.Affinity, opts PodOptions, path *field.Path) field.ErrorList {
	if affinity == nil {
		return nil
	}
	var errs field.ErrorList
	if a := affinity.NodeAffinity; a != nil {
		path := path.Child("nodeAffinity")
		if a.RequiredDuringSchedulingIgnoredDuringExecution != nil {
			errs = append(errs, ValidateNodeSelector(a.RequiredDuringSchedulingIgnoredDuringExecution, opts.AllowInvalidNodeAffinityValues, path.Child(required))...)
		}
		for i, term := range a.PreferredDuringSchedulingIgnoredDuringExecution {
			path := path.Child(preferred).Index(i)
			errs = append(errs, validateWeight(term.Weight, path)...)
			// Values that no label has do no harm in a preference.
			errs = append(errs, validateNodeSelectorTerm(term.Preference, true, path.Child("preference"))...)
		}
	}
	if a := affinity.PodAffinity; a != nil {
		errs = append(errs, validatePodTerms(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution, opts, path.Child("podAffinity"))...)
	}
	if a := affinity.PodAntiAffinity; a != nil {
		errs = append(errs, validatePodTerms(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution, opts, path.Child("podAntiAffinity"))...)
	}
	return errs
}

// ValidateNodeSelector judges a required node affinity.
func ValidateNodeSelector(sel *corev1.NodeSelector, allowInvalidLabelValues bool, path *field.Path) field.ErrorList {
	path = path.Child("nodeSelectorTerms")
	if len(sel.NodeSelectorTerms) == 0 {
		return field.ErrorList{field.Required(path, "must have at least one node selector term")}
	}
	var errs field.ErrorList
	for i, term := range sel.NodeSelectorTerms {
		errs = append(errs, validateNodeSelectorTerm(term, allowInvalidLabelValues, path.Index(i))...)
	}
	return errs
}

func validateNodeSelectorTerm(term corev1.NodeSelectorTerm, allowInvalidLabelValues bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, requirement := range term.MatchExpressions {
		path := path.Child("matchExpressions").Index(i)
		errs = append(errs, validateNodeLabelRequirement(requirement, path)...)
		if !allowInvalidLabelValues {
			for j, value := range requirement.Values {
				errs = append(errs, fielderrors.Each(path.Child("values").Index(j), value, validation.IsValidLabelValue(value))...)
			}
		}
	}
	for i, requirement := range term.MatchFields {
		errs = append(errs, validateNodeFieldRequirement(requirement, path.Child("matchFields").Index(i))...)
	}
	return errs
}

func validateNodeLabelRequirement(requirement corev1.NodeSelectorRequirement, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	values := path.Child("values")
	switch requirement.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(requirement.Values) == 0 {
			errs = append(errs, field.Required(values, "must be specified when `operator` is 'In' or 'NotIn'"))
		}
	case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
		if len(requirement.Values) > 0 {
			errs = append(errs, field.Forbidden(values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
		}
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if len(requirement.Values) != 1 {
			errs = append(errs, field.Required(values, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
		}
	default:
		errs = append(errs, field.Invalid(path.Child("operator"), requirement.Operator, noOperator))
	}
	return append(errs, metav1validation.ValidateLabelName(requirement.Key, path.Child("key"))...)
}

// validateNodeFieldRequirement judges a requirement on a field; the name is the only
// one that there is.
func validateNodeFieldRequirement(requirement corev1.NodeSelectorRequirement, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch requirement.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(requirement.Values) != 1 {
			errs = append(errs, field.Required(path.Child("values"), "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
		}
	default:
		errs = append(errs, field.Invalid(path.Child("operator"), requirement.Operator, noOperator))
	}
	if requirement.Key != metav1.ObjectNameField {
		return append(errs, field.Invalid(path.Child("key"), requirement.Key, "not a valid field selector key"))
	}
	for i, value := range requirement.Values {
		errs = append(errs, dnsSubdomain(value, path.Child("values").Index(i))...)
	}
	return errs
}

func validateWeight(weight int32, path *field.Path) field.ErrorList {
	if weight <= 0 || weight > 100 {
		return field.ErrorList{field.Invalid(path.Child("weight"), weight, "must be in the range 1-100")}
	}
	return nil
}

func validatePodTerms(terms []corev1.PodAffinityTerm, weighted []corev1.WeightedPodAffinityTerm, opts PodOptions, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range terms {
		errs = append(errs, validatePodTerm(&terms[i], opts, path.Child(required).Index(i))...)
	}
	for i := range weighted {
		path := path.Child(preferred).Index(i)
		errs = append(errs, validateWeight(weighted[i].Weight, path)...)
		errs = append(errs, validatePodTerm(&weighted[i].PodAffinityTerm, opts, path.Child("podAffinityTerm"))...)
	}
	return errs
}

func validatePodTerm(term *corev1.PodAffinityTerm, opts PodOptions, path *field.Path) field.ErrorList {
	errs := validatePodTermSelectors(term, opts.AllowInvalidAffinityValues, path)
	for _, namespace := range term.Namespaces {
		errs = append(errs, fielderrors.Each(path.Child("namespace"), namespace, apivalidation.ValidateNamespaceName(namespace, false))...)
	}
	errs = append(errs, validateMatchLabelKeys(path, term.MatchLabelKeys, term.MismatchLabelKeys, term.LabelSelector)...)
	if term.TopologyKey == "" {
		errs = append(errs, field.Required(path.Child("topologyKey"), "can not be empty"))
	}
	return append(errs, metav1validation.ValidateLabelName(term.TopologyKey, path.Child("topologyKey"))...)
}

func validatePodTermSelectors(term *corev1.PodAffinityTerm, allowInvalidLabelValues bool, path *field.Path) field.ErrorList {
	opts := metav1validation.LabelSelectorValidationOptions{AllowInvalidLabelValueInSelector: allowInvalidLabelValues}
	return append(metav1validation.ValidateLabelSelector(term.LabelSelector, opts, path.Child("labelSelector")),
		metav1validation.ValidateLabelSelector(term.NamespaceSelector, opts, path.Child("namespaceSelector"))...)
}

// validateMatchLabelKeys judges keys whose values a new pod gives to a selector. By
// now those of matchLabelKeys are in the selector once; twice means that the user
// put them there too.
func validateMatchLabelKeys(path *field.Path, match, mismatch []string, selector *metav1.LabelSelector) field.ErrorList {
	errs := append(validateLabelKeys(path.Child("matchLabelKeys"), match, selector),
		validateLabelKeys(path.Child("mismatchLabelKeys"), mismatch, selector)...)
	if selector != nil {
		index := map[string]int{}
		for i, key := range match {
			index[key] = i
		}
		seen := sets.KeySet(selector.MatchLabels)
		for _, expression := range selector.MatchExpressions {
			if i, ok := index[expression.Key]; ok && seen.Has(expression.Key) {
				errs = append(errs, field.Invalid(path.Index(i), expression.Key, "exists in both matchLabelKeys and labelSelector"))
			}
			seen.Insert(expression.Key)
		}
	}
	mismatched := sets.New(mismatch...)
	for i, key := range match {
		if mismatched.Has(key) {
			errs = append(errs, field.Invalid(path.Child("matchLabelKeys").Index(i), key, "exists in both matchLabelKeys and mismatchLabelKeys"))
		}
	}
	return errs
}

func validateLabelKeys(path *field.Path, keys []string, selector *metav1.LabelSelector) field.ErrorList {
	if len(keys) == 0 {
		return nil
	}
	if selector == nil {
		return field.ErrorList{field.Forbidden(path, "must not be specified when labelSelector is not set")}
	}
	var errs field.ErrorList
	for i, key := range keys {
		errs = append(errs, metav1validation.ValidateLabelName(key, path.Index(i))...)
	}
	return errs
}
