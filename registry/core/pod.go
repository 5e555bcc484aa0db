// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/qos"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// Pods returns the kind Pod. What is done to a pod but not written into it, such as
// to bind or evict it, is added by joinPods.
func Pods() kind.Kind {
	return kind.New(kind.Definition[core.Pod]{
		Kind: "Pod", Plural: "pods", ShortNames: []string{"po"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(p *core.Pod) *corev1.PodSpec { return &p.Spec }),
		Status:              kind.PartOf(func(p *core.Pod) *corev1.PodStatus { return &p.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next two
		UnconditionalUpdate: true,
		ReturnsDeleted:      true,
		Strategy: kind.Strategy[core.Pod]{
			Prepare: preparePod,
			Validate: func(_ context.Context, obj *core.Pod) field.ErrorList {
				return validation.ValidatePod((*corev1.Pod)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.Pod) field.ErrorList {
				return validation.ValidatePodUpdate((*corev1.Pod)(obj), (*corev1.Pod)(old))
			},
			PrepareStatus: preparePodStatus,
			ValidateStatus: func(_ context.Context, obj, old *core.Pod) field.ErrorList {
				return validation.ValidatePodStatusUpdate((*corev1.Pod)(obj), (*corev1.Pod)(old))
			},
			// Updates come from controllers and nodes, which do not read warnings.
			Warnings: func(_ context.Context, obj, old *core.Pod) []string {
				if old != nil {
					return nil
				}
				return validation.WarningsForPod((*corev1.Pod)(obj))
			},
			StatusWarnings:      warnOfPodAddresses,
			CheckGracefulDelete: checkGracefulPodDelete,
		},
		Subresources: []kind.Subresource[core.Pod]{
			{
				Name: "ephemeralcontainers", Path: []string{"spec", "ephemeralContainers"},
				Part:    kind.PartOf(func(p *core.Pod) *[]corev1.EphemeralContainer { return &p.Spec.EphemeralContainers }),
				Prepare: preparePodPart,
				Validate: func(_ context.Context, obj, old *core.Pod) field.ErrorList {
					return validation.ValidatePodEphemeralContainersUpdate((*corev1.Pod)(obj), (*corev1.Pod)(old))
				},
			},
			{
				Name: "resize", Path: []string{"spec"},
				Part:    kind.PartOf(func(p *core.Pod) *corev1.PodSpec { return &p.Spec }),
				Prepare: preparePodResize,
				Validate: func(_ context.Context, obj, old *core.Pod) field.ErrorList {
					return validation.ValidatePodResize((*corev1.Pod)(obj), (*corev1.Pod)(old))
				},
			},
		},
		Columns: podColumns(),
		Fields: []kind.Field[core.Pod]{
			// Every kubelet watches the pods of its node.
			{Path: "spec.nodeName", Alias: "spec.host", Index: true, Value: func(p *core.Pod) string { return p.Spec.NodeName }},
			{Path: "spec.restartPolicy", Value: func(p *core.Pod) string { return string(p.Spec.RestartPolicy) }},
			{Path: "spec.schedulerName", Value: func(p *core.Pod) string { return p.Spec.SchedulerName }},
			{Path: "spec.serviceAccountName", Value: func(p *core.Pod) string { return p.Spec.ServiceAccountName }},
			{Path: "spec.hostNetwork", Value: func(p *core.Pod) string { return strconv.FormatBool(p.Spec.HostNetwork) }},
			{Path: "status.phase", Value: func(p *core.Pod) string { return string(p.Status.Phase) }},
			{Path: "status.podIP", Alias: "status.podIPs", Value: func(p *core.Pod) string { return p.Status.PodIP }},
			{Path: "status.nominatedNodeName", Value: func(p *core.Pod) string { return p.Status.NominatedNodeName }},
		},
	})
}

func preparePod(ctx context.Context, obj, old *core.Pod) {
	if old != nil {
		validation.DropDisabledPodFields(&obj.Spec, &old.Spec)
		return
	}
	obj.Status = corev1.PodStatus{Phase: corev1.PodPending, QOSClass: qos.Compute(&obj.Spec)}
	validation.DropDisabledPodFields(&obj.Spec, nil)
	if len(obj.Spec.SchedulingGates) > 0 {
		setPodCondition(&obj.Status, corev1.PodCondition{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonSchedulingGated,
			Message: "Scheduling is blocked due to non-empty scheduling gates",
		})
	}
	selectByLabelKeys(obj)
	copyAppArmor(ctx, obj)
}

// preparePodPart counts a change that another endpoint than the main one makes.
func preparePodPart(_ context.Context, obj, old *core.Pod) {
	validation.DropDisabledPodFields(&obj.Spec, &old.Spec)
	if !apiequality.Semantic.DeepEqual(obj.Spec, old.Spec) {
		obj.Generation = old.Generation + 1
	}
}

// preparePodResize keeps of the new spec only what may be resized. Containers that are
// not those there were are left for validation to refuse.
func preparePodResize(ctx context.Context, obj, old *core.Pod) {
	spec := old.Spec.DeepCopy()
	spec.Resources = obj.Spec.Resources
	for _, lists := range [][2]*[]corev1.Container{{&spec.Containers, &obj.Spec.Containers}, {&spec.InitContainers, &obj.Spec.InitContainers}} {
		kept, now := *lists[0], *lists[1]
		if len(kept) != len(now) {
			return
		}
		for i := range now {
			if kept[i].Name != now[i].Name {
				return
			}
			kept[i].Resources, kept[i].ResizePolicy = now[i].Resources, now[i].ResizePolicy
		}
	}
	obj.Spec = *spec
	preparePodPart(ctx, obj, old)
}

// preparePodStatus keeps what a node may not change or forget.
func preparePodStatus(_ context.Context, obj, old *core.Pod) {
	obj.OwnerReferences = old.OwnerReferences // old kubelets corrupt them
	if obj.Status.QOSClass == "" {
		obj.Status.QOSClass = old.Status.QOSClass
	}
	if obj.Status.ObservedGeneration == 0 {
		obj.Status.ObservedGeneration = old.Status.ObservedGeneration
	}
	// There may be several conditions of a type: the first takes from the first.
	generations := map[corev1.PodConditionType][]int64{}
	for _, c := range old.Status.Conditions {
		generations[c.Type] = append(generations[c.Type], c.ObservedGeneration)
	}
	for i := range obj.Status.Conditions {
		c := &obj.Status.Conditions[i]
		before := generations[c.Type]
		if len(before) == 0 {
			continue
		}
		generations[c.Type] = before[1:]
		if c.ObservedGeneration == 0 {
			c.ObservedGeneration = before[0]
		}
	}
	validation.DropDisabledPodStatus(&obj.Status, &old.Status)
}

func warnOfPodAddresses(_ context.Context, obj, _ *core.Pod) []string {
	var out []string
	path := field.NewPath("status")
	for i, ip := range obj.Status.PodIPs {
		out = append(out, utilvalidation.GetWarningsForIP(path.Child("podIPs").Index(i).Child("ip"), ip.IP)...)
	}
	for i, ip := range obj.Status.HostIPs {
		out = append(out, utilvalidation.GetWarningsForIP(path.Child("hostIPs").Index(i).Child("ip"), ip.IP)...)
	}
	return out
}

// checkGracefulPodDelete gives a pod the time that it or the user asks for to end. The
// kubelet deletes it for good then; where there is none to wait for, it goes at once.
func checkGracefulPodDelete(_ context.Context, pod *core.Pod, options *metav1.DeleteOptions) bool {
	if options == nil {
		return false
	}
	period := ptr.Deref(options.GracePeriodSeconds, ptr.Deref(pod.Spec.TerminationGracePeriodSeconds, 0))
	if pod.Spec.NodeName == "" || isPodOver(pod) {
		period = 0
	}
	if period < 0 {
		period = 1
	}
	options.GracePeriodSeconds = &period
	return true
}

func isPodOver(pod *core.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// setPodCondition sets the condition of a type, and the time if it changes.
func setPodCondition(status *corev1.PodStatus, condition corev1.PodCondition) {
	condition.LastTransitionTime = metav1.Now()
	for i := range status.Conditions {
		old := &status.Conditions[i]
		if old.Type != condition.Type {
			continue
		}
		if old.Status == condition.Status {
			condition.LastTransitionTime = old.LastTransitionTime
		}
		*old = condition
		return
	}
	status.Conditions = append(status.Conditions, condition)
}

// selectByLabelKeys turns keys into requirements with the values that the pod has.
func selectByLabelKeys(pod *core.Pod) {
	apply := func(selector *metav1.LabelSelector, keys []string, operator metav1.LabelSelectorOperator) {
		for _, key := range keys {
			if value, ok := pod.Labels[key]; ok && selector != nil {
				selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{
					Key: key, Operator: operator, Values: []string{value},
				})
			}
		}
	}
	validation.VisitPodAffinityTerms(pod.Spec.Affinity, func(term *corev1.PodAffinityTerm) {
		apply(term.LabelSelector, term.MatchLabelKeys, metav1.LabelSelectorOpIn)
		apply(term.LabelSelector, term.MismatchLabelKeys, metav1.LabelSelectorOpNotIn)
	})
	for i := range pod.Spec.TopologySpreadConstraints {
		c := &pod.Spec.TopologySpreadConstraints[i]
		apply(c.LabelSelector, c.MatchLabelKeys, metav1.LabelSelectorOpIn)
	}
}

// copyAppArmor turns the annotations of old clients into the fields that took their
// place, and warns of each that says more than the pod's profile.
func copyAppArmor(ctx context.Context, pod *core.Pod) {
	if pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows {
		return
	}
	var whole *corev1.AppArmorProfile
	if pod.Spec.SecurityContext != nil {
		whole = pod.Spec.SecurityContext.AppArmorProfile
	}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			c := &list[i]
			key := corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + c.Name
			value, ok := pod.Annotations[key]
			if !ok || c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil {
				continue
			}
			profile := validation.AppArmorOfAnnotation(value)
			if profile != nil && apiequality.Semantic.DeepEqual(profile, whole) {
				continue
			}
			if profile != nil {
				if c.SecurityContext == nil {
					c.SecurityContext = &corev1.SecurityContext{}
				}
				c.SecurityContext.AppArmorProfile = profile
			}
			warning.AddWarning(ctx, "", field.NewPath("metadata", "annotations").Key(key).String()+": "+validation.AppArmorDeprecated)
		}
	}
}
