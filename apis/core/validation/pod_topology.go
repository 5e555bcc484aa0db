// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

const notPositive = "must be greater than zero"

func validateTopologySpread(constraints []corev1.TopologySpreadConstraint, path *field.Path, opts PodOptions) field.ErrorList {
	var errs field.ErrorList
	for i := range constraints {
		c, path := &constraints[i], path.Index(i)
		if c.MaxSkew <= 0 {
			errs = append(errs, field.Invalid(path.Child("maxSkew"), c.MaxSkew, notPositive))
		}
		if c.TopologyKey == "" {
			errs = append(errs, field.Required(path.Child("topologyKey"), "can not be empty"))
		}
		errs = append(errs, fielderrors.OneOf(path.Child("whenUnsatisfiable"), c.WhenUnsatisfiable, corev1.DoNotSchedule, corev1.ScheduleAnyway)...)
		for _, other := range constraints[i+1:] {
			if c.TopologyKey == other.TopologyKey && c.WhenUnsatisfiable == other.WhenUnsatisfiable {
				errs = append(errs, field.Duplicate(path.Child("{topologyKey, whenUnsatisfiable}"), fmt.Sprintf("{%v, %v}", c.TopologyKey, c.WhenUnsatisfiable)))
				break
			}
		}
		errs = append(errs, validateMinDomains(c, path.Child("minDomains"))...)
		errs = append(errs, validateInclusion(c.NodeAffinityPolicy, path.Child("nodeAffinityPolicy"))...)
		errs = append(errs, validateInclusion(c.NodeTaintsPolicy, path.Child("nodeTaintsPolicy"))...)
		errs = append(errs, validateSpreadKeys(c, path, opts)...)
		if !opts.AllowInvalidTopologySpreadSelector {
			errs = append(errs, metav1validation.ValidateLabelSelector(c.LabelSelector, metav1validation.LabelSelectorValidationOptions{}, path.Child("labelSelector"))...)
		}
	}
	return errs
}

func validateMinDomains(c *corev1.TopologySpreadConstraint, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if c.MinDomains == nil {
		return nil
	}
	if *c.MinDomains <= 0 {
		errs = append(errs, field.Invalid(path, c.MinDomains, notPositive))
	}
	if c.WhenUnsatisfiable != corev1.DoNotSchedule {
		errs = append(errs, field.Invalid(path, c.MinDomains,
			fmt.Sprintf("can only use minDomains if whenUnsatisfiable=%s, not %s", corev1.DoNotSchedule, c.WhenUnsatisfiable)))
	}
	return errs
}

func validateInclusion(policy *corev1.NodeInclusionPolicy, path *field.Path) field.ErrorList {
	if policy == nil {
		return nil
	}
	return fielderrors.OneOf(path, *policy, corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore)
}

// validateSpreadKeys judges matchLabelKeys. In a pod they are in the selector too by
// now, unless an older server stored it.
func validateSpreadKeys(c *corev1.TopologySpreadConstraint, path *field.Path, opts PodOptions) field.ErrorList {
	if opts.OldViolatesMatchLabelKeys {
		return nil
	}
	return validateMatchLabelKeys(path, c.MatchLabelKeys, nil, c.LabelSelector)
}
