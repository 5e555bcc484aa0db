// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/hubtext"
)

// updatableFields are what a user may change of a pod's spec.
const updatableFields = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`," +
	"`spec.tolerations` (only additions to existing tolerations)," +
	"`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

func podUpdateOptions(pod, old *corev1.Pod) PodOptions {
	opts := PodSpecOptions(&pod.Spec, &old.Spec, &pod.ObjectMeta, &old.ObjectMeta)
	opts.IsPod = true
	return opts
}

// ValidatePodUpdate judges a changed pod. Little of its spec may change: what is left
// when the changes that are allowed are undone must be what it was.
func ValidatePodUpdate(pod, old *corev1.Pod) field.ErrorList {
	opts := podUpdateOptions(pod, old)
	path := field.NewPath("spec")
	errs := validatePodAndSpec(pod, opts)
	errs = append(errs, validateChangedAnnotations(pod, old, opts)...)
	for _, lists := range []struct {
		name     string
		now, old []corev1.Container
	}{
		{"containers", pod.Spec.Containers, old.Spec.Containers},
		{"initContainers", pod.Spec.InitContainers, old.Spec.InitContainers},
	} {
		path := path.Child(lists.name)
		if len(lists.now) != len(lists.old) {
			return append(errs, field.Forbidden(path, "pod updates may not add or remove containers"))
		}
		for i := range lists.now {
			if lists.now[i].Image == "" {
				errs = append(errs, field.Required(path.Index(i).Child("image"), ""))
			}
			errs = append(errs, validateImagePadding(&lists.now[i], path.Index(i))...)
		}
	}
	deadlineErrs, stop := validateDeadlineChange(pod.Spec.ActiveDeadlineSeconds, old.Spec.ActiveDeadlineSeconds, path.Child("activeDeadlineSeconds"))
	errs = append(errs, deadlineErrs...)
	if stop {
		return errs
	}
	errs = append(errs, validateAddedTolerations(pod.Spec.Tolerations, old.Spec.Tolerations, path.Child("tolerations"), opts)...)
	errs = append(errs, validateRemovedGates(pod.Spec.SchedulingGates, old.Spec.SchedulingGates, path.Child("schedulingGates"))...)
	if apiequality.Semantic.DeepEqual(pod.Spec, old.Spec) {
		return errs
	}
	rest := pod.Spec.DeepCopy()
	undoAllowed(rest, &old.Spec)
	if len(old.Spec.SchedulingGates) > 0 {
		errs = append(errs, undoGated(rest, &old.Spec, path)...)
	}
	if !apiequality.Semantic.DeepEqual(*rest, old.Spec) {
		errs = append(errs, field.Forbidden(path, fmt.Sprintf("pod updates may not change fields other than %s\n%v", updatableFields, hubtext.Diff(old.Spec, *rest))))
	}
	return errs
}

func validateChangedAnnotations(pod, old *corev1.Pod, opts PodOptions) field.ErrorList {
	path := field.NewPath("metadata", "annotations")
	errs := validateAnnotationChanges(pod.Annotations, old.Annotations, path)
	return append(errs, validatePodAnnotations(pod.Annotations, &pod.Spec, path, opts)...)
}

// validateDeadlineChange judges a new deadline; it may only come nearer. Some errors
// leave nothing else to judge.
func validateDeadlineChange(now, old *int64, path *field.Path) (errs field.ErrorList, stop bool) {
	switch {
	case now == nil && old != nil:
		return field.ErrorList{field.Invalid(path, now, "must not update from a positive integer to nil value")}, false
	case now == nil:
		return nil, false
	case *now < 0 || *now > math.MaxInt32:
		return field.ErrorList{field.Invalid(path, *now, validation.InclusiveRangeError(0, math.MaxInt32))}, true
	case old != nil && *old < *now:
		return field.ErrorList{field.Invalid(path, *now, "must be less than or equal to previous value")}, true
	}
	return nil, false
}

func validateRemovedGates(gates, old []corev1.PodSchedulingGate, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, gate := range gates {
		if !slices.Contains(old, gate) {
			errs = append(errs, field.Forbidden(path.Index(i).Child("name"), fmt.Sprintf("only deletion is allowed, but found new scheduling gate '%s'", gate.Name)))
		}
	}
	return errs
}

// undoAllowed gives spec the old values of the fields that may change.
func undoAllowed(spec, old *corev1.PodSpec) {
	for i := range spec.Containers {
		spec.Containers[i].Image = old.Containers[i].Image
	}
	for i := range spec.InitContainers {
		spec.InitContainers[i].Image = old.InitContainers[i].Image
	}
	spec.ActiveDeadlineSeconds = old.ActiveDeadlineSeconds
	spec.SchedulingGates = old.SchedulingGates
	spec.Tolerations = old.Tolerations
	if now, was := spec.TerminationGracePeriodSeconds, old.TerminationGracePeriodSeconds; now != nil && *now == 1 && was != nil && *was < 0 {
		spec.TerminationGracePeriodSeconds = was
	}
}

// undoGated does the same for what may be added while a pod is kept from being
// scheduled, which narrows down the nodes, and says where more was changed.
func undoGated(spec, old *corev1.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if !apiequality.Semantic.DeepEqual(spec.NodeSelector, old.NodeSelector) {
		for key, value := range old.NodeSelector {
			if now, ok := spec.NodeSelector[key]; !ok || now != value {
				errs = append(errs, field.Invalid(path.Child("nodeSelector"), spec.NodeSelector, "only additions to spec.nodeSelector are allowed (no mutations or deletions)"))
				break
			}
		}
		spec.NodeSelector = old.NodeSelector
	}
	var now, was *corev1.NodeAffinity
	if spec.Affinity != nil {
		now = spec.Affinity.NodeAffinity
	}
	if old.Affinity != nil {
		was = old.Affinity.NodeAffinity
	}
	if apiequality.Semantic.DeepEqual(now, was) {
		return errs
	}
	errs = append(errs, validateNodeAffinityChange(now, was, path.Child("affinity", "nodeAffinity"))...)
	switch {
	case spec.Affinity == nil:
		spec.Affinity = &corev1.Affinity{NodeAffinity: was}
	case old.Affinity == nil && spec.Affinity.PodAffinity == nil && spec.Affinity.PodAntiAffinity == nil:
		spec.Affinity = nil
	default:
		spec.Affinity.NodeAffinity = was
	}
	return errs
}

func validateNodeAffinityChange(now, was *corev1.NodeAffinity, path *field.Path) field.ErrorList {
	if was == nil || was.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	old := was.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	var terms []corev1.NodeSelectorTerm
	if now != nil && now.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		terms = now.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	}
	path = path.Child(required, "nodeSelectorTerms")
	if len(old) > 0 && len(old) != len(terms) {
		return field.ErrorList{field.Invalid(path, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")}
	}
	var errs field.ErrorList
	for i := range old {
		if !isNarrower(&terms[i], &old[i]) {
			errs = append(errs, field.Invalid(path.Index(i), terms[i], "only additions are allowed (no mutations or deletions)"))
		}
	}
	return errs
}

// isNarrower says that a term demands all that it did. An empty one matches nothing,
// so that what is added to it would match more.
func isNarrower(term, old *corev1.NodeSelectorTerm) bool {
	begins := func(list, with []corev1.NodeSelectorRequirement) bool {
		return len(list) >= len(with) && apiequality.Semantic.DeepEqual(list[:len(with)], with)
	}
	if len(old.MatchExpressions)+len(old.MatchFields) == 0 {
		return len(term.MatchExpressions)+len(term.MatchFields) == 0
	}
	return begins(term.MatchExpressions, old.MatchExpressions) && begins(term.MatchFields, old.MatchFields)
}

// ValidatePodEphemeralContainersUpdate judges a pod whose ephemeral containers alone
// were changed; there may only be more of them.
func ValidatePodEphemeralContainersUpdate(pod, old *corev1.Pod) field.ErrorList {
	if _, mirror := old.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return field.ErrorList{field.Forbidden(field.NewPath(""), "static pods do not support ephemeral containers")}
	}
	opts := podUpdateOptions(pod, old)
	errs := validatePodAndSpec(pod, opts)
	errs = append(errs, validateChangedAnnotations(pod, old, opts)...)
	path := field.NewPath("spec", "ephemeralContainers")
	for _, before := range old.Spec.EphemeralContainers {
		i := slices.IndexFunc(pod.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool { return c.Name == before.Name })
		if i < 0 {
			errs = append(errs, field.Forbidden(path, fmt.Sprintf("existing ephemeral containers %q may not be removed\n", before.Name)))
		} else if now := pod.Spec.EphemeralContainers[i]; !apiequality.Semantic.DeepEqual(before, now) {
			errs = append(errs, field.Forbidden(path, fmt.Sprintf("existing ephemeral containers %q may not be changed\n%v", before.Name, hubtext.Diff(before, now))))
		}
	}
	return errs
}

// ValidatePodBinding judges where a pod is to run.
func ValidatePodBinding(binding *corev1.Binding) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("target")
	if kind := binding.Target.Kind; kind != "" && kind != "Node" {
		errs = append(errs, field.NotSupported(path.Child("kind"), kind, []string{"Node", "<empty>"}))
	}
	if binding.Target.Name == "" {
		return append(errs, field.Required(path.Child("name"), ""))
	}
	return append(errs, dnsSubdomain(binding.Target.Name, path.Child("name"))...)
}
