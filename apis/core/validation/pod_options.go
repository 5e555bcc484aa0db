// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// PodOptions loosens rules that older versions did not have, so that an object
// which broke them before they came can still be updated. Make one with
// PodSpecOptions or PodTemplateOptions; the zero value is the strictest.
type PodOptions struct {
	// IsPod is set for the spec of a pod and not for that of a template.
	IsPod bool
	// AllowInvalidDeletionCost lets the annotation be no number.
	AllowInvalidDeletionCost bool
	// AllowNonLocalProjectedTokenPath lets a projected token leave its volume.
	AllowNonLocalProjectedTokenPath bool
	// AllowInvalidAffinityValues and AllowInvalidNodeAffinityValues let affinities
	// have values that no label can have.
	AllowInvalidAffinityValues, AllowInvalidNodeAffinityValues bool
	// AllowInvalidTopologySpreadSelector lets topology spread constraints have
	// label selectors that do not parse.
	AllowInvalidTopologySpreadSelector bool
	// OldViolatesMatchLabelKeys skips matchLabelKeys of topology spread constraints.
	OldViolatesMatchLabelKeys bool
	// AllowIndivisibleHugePages lets a quantity of huge pages be no multiple of their size.
	AllowIndivisibleHugePages bool
	// AllowSharedSysctls lets sysctls be set in namespaces that are the node's.
	AllowSharedSysctls bool
	// AllowComparisonTolerations lets tolerations have the operators Lt and Gt.
	AllowComparisonTolerations bool
	// AllowDevicesWithoutHostUsers lets containers have raw blocks although the
	// users of the pod are not those of the node, which does not work.
	AllowDevicesWithoutHostUsers bool
}

// PodTemplateOptions returns the options for a template; old is nil on create.
func PodTemplateOptions(obj, old *corev1.PodTemplateSpec) PodOptions {
	var newSpec, oldSpec *corev1.PodSpec
	var newMeta, oldMeta *metav1.ObjectMeta
	if obj != nil {
		newSpec, newMeta = &obj.Spec, &obj.ObjectMeta
	}
	if old != nil {
		oldSpec, oldMeta = &old.Spec, &old.ObjectMeta
	}
	return PodSpecOptions(newSpec, oldSpec, newMeta, oldMeta)
}

// PodSpecOptions returns the options for a spec; old and oldMeta are nil on create.
// What the first holds does not matter by now.
func PodSpecOptions(_, old *corev1.PodSpec, _, oldMeta *metav1.ObjectMeta) PodOptions {
	var opts PodOptions
	if oldMeta != nil {
		opts.AllowInvalidDeletionCost = !isDeletionCost(oldMeta.Annotations)
	}
	if old == nil {
		return opts
	}
	opts.AllowInvalidAffinityValues = someTerm(old.Affinity, func(term *corev1.PodAffinityTerm) bool {
		return len(validatePodTermSelectors(term, false, nil)) > 0
	})
	opts.AllowInvalidNodeAffinityValues = hasInvalidNodeAffinityValue(old.Affinity)
	for i := range old.TopologySpreadConstraints {
		c := &old.TopologySpreadConstraints[i]
		if len(metav1validation.ValidateLabelSelector(c.LabelSelector, metav1validation.LabelSelectorValidationOptions{}, nil)) > 0 {
			opts.AllowInvalidTopologySpreadSelector = true
		}
		if len(validateMatchLabelKeys(nil, c.MatchLabelKeys, nil, c.LabelSelector)) > 0 {
			opts.OldViolatesMatchLabelKeys = true
		}
	}
	opts.AllowComparisonTolerations = slices.ContainsFunc(old.Tolerations, func(t corev1.Toleration) bool {
		return t.Operator == corev1.TolerationOpLt || t.Operator == corev1.TolerationOpGt
	})
	for i := range old.Volumes {
		if p := old.Volumes[i].Projected; p != nil {
			opts.AllowNonLocalProjectedTokenPath = opts.AllowNonLocalProjectedTokenPath || slices.ContainsFunc(p.Sources, hasNonLocalToken)
		}
	}
	if old.SecurityContext != nil {
		opts.AllowSharedSysctls = slices.ContainsFunc(old.SecurityContext.Sysctls, func(s corev1.Sysctl) bool {
			return sharedNamespace(old, s.Name) != ""
		})
	}
	VisitContainers(old, nil, func(c *corev1.Container, _ *field.Path) {
		if len(c.VolumeDevices) > 0 && !hostUsers(old) {
			opts.AllowDevicesWithoutHostUsers = true
		}
		for _, list := range []corev1.ResourceList{c.Resources.Limits, c.Resources.Requests} {
			for name, value := range list {
				if IsHugePageResource(name) && !isHugePageMultiple(name, value) {
					opts.AllowIndivisibleHugePages = true
				}
			}
		}
	})
	return opts
}

// isDeletionCost says that the annotation is not set or a number of 32 bits, without
// a plus or zeros before it.
func isDeletionCost(annotations map[string]string) bool {
	value, ok := annotations[corev1.PodDeletionCost]
	if !ok || value == "0" {
		return true
	}
	_, err := strconv.ParseInt(value, 10, 32)
	return err == nil && value[0] != '+' && value[0] != '0'
}

func hasNonLocalToken(source corev1.VolumeProjection) bool {
	return source.ServiceAccountToken != nil && len(validateLocalFile(source.ServiceAccountToken.Path, nil)) > 0
}

// someTerm says whether a term of the affinities to other pods has a property.
func someTerm(affinity *corev1.Affinity, is func(*corev1.PodAffinityTerm) bool) bool {
	found := false
	VisitPodAffinityTerms(affinity, func(term *corev1.PodAffinityTerm) { found = found || is(term) })
	return found
}

// VisitPodAffinityTerms calls each for every term of the affinities to other pods.
func VisitPodAffinityTerms(affinity *corev1.Affinity, each func(*corev1.PodAffinityTerm)) {
	visit := func(terms []corev1.PodAffinityTerm, weighted []corev1.WeightedPodAffinityTerm) {
		for i := range weighted {
			each(&weighted[i].PodAffinityTerm)
		}
		for i := range terms {
			each(&terms[i])
		}
	}
	if affinity == nil {
		return
	}
	if a := affinity.PodAffinity; a != nil {
		visit(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a := affinity.PodAntiAffinity; a != nil {
		visit(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func hasInvalidNodeAffinityValue(affinity *corev1.Affinity) bool {
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return false
	}
	return HasInvalidLabelValue(affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
}

// HasInvalidLabelValue says whether a node selector has a value that no label can have.
func HasInvalidLabelValue(sel *corev1.NodeSelector) bool {
	for _, term := range sel.NodeSelectorTerms {
		for _, expression := range term.MatchExpressions {
			if slices.ContainsFunc(expression.Values, func(value string) bool { return len(validation.IsValidLabelValue(value)) > 0 }) {
				return true
			}
		}
	}
	return false
}
