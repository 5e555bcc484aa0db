// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/admission"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/qos"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/features"
)

// pods counts pods and sums up what they ask for.
func pods(list generic.ListFuncByNamespace) quota.Evaluator {
	return &evaluator{
		resource: core.Resource("pods"), list: list,
		handles: func(a admission.Attributes) bool {
			switch {
			case a.GetOperation() == admission.Create:
				return a.GetSubresource() == ""
			case a.GetSubresource() == "":
				pod, err := podOf(a.GetObject())
				old, errOld := podOf(a.GetOldObject())
				return err == nil && errOld == nil && terminating(pod) != terminating(old) // another scope
			}
			return a.GetSubresource() == "resize"
		},
		limits: func(name corev1.ResourceName) bool {
			switch name {
			case counted("", "pods"), corev1.ResourcePods,
				corev1.ResourceCPU, corev1.ResourceRequestsCPU, corev1.ResourceLimitsCPU,
				corev1.ResourceMemory, corev1.ResourceRequestsMemory, corev1.ResourceLimitsMemory,
				corev1.ResourceEphemeralStorage, corev1.ResourceRequestsEphemeralStorage, corev1.ResourceLimitsEphemeralStorage:
				return true
			}
			return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) ||
				strings.HasPrefix(string(name), corev1.ResourceRequestsHugePagesPrefix) || requestsExtended(name)
		},
		inScope: podInScope,
		demands: podDemands,
		usage:   podUsage,
	}
}

// requestsExtended says that a quota limits by this name how much of an extended
// resource is asked for.
func requestsExtended(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.DefaultResourceRequestsPrefix) &&
		(!validation.IsNativeResource(name) || strings.HasPrefix(string(name), corev1.ResourceImplicitExtendedClaimsPerClass))
}

func podOf(obj runtime.Object) (*corev1.Pod, error) {
	switch pod := obj.(type) {
	case *corev1.Pod:
		return pod, nil
	case *core.Pod:
		return (*corev1.Pod)(pod), nil
	}
	return nil, fmt.Errorf("expect *api.Pod or *v1.Pod, got %T", obj)
}

func podInScope(scope corev1.ScopedResourceSelectorRequirement, obj runtime.Object) (bool, error) {
	pod, err := podOf(obj)
	if err != nil {
		return false, err
	}
	switch scope.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return terminating(pod), nil
	case corev1.ResourceQuotaScopeNotTerminating:
		return !terminating(pod), nil
	case corev1.ResourceQuotaScopeBestEffort:
		return qos.Of(pod) == corev1.PodQOSBestEffort, nil
	case corev1.ResourceQuotaScopeNotBestEffort:
		return qos.Of(pod) != corev1.PodQOSBestEffort, nil
	case corev1.ResourceQuotaScopePriorityClass:
		if pod.Spec.PriorityClassName == "" {
			return selects(scope)
		}
		return selects(scope, pod.Spec.PriorityClassName)
	case corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		return crossesNamespaces(pod.Spec.Affinity), nil
	}
	return false, nil
}

// terminating says that a pod has a deadline.
func terminating(pod *corev1.Pod) bool {
	return pod.Spec.ActiveDeadlineSeconds != nil && *pod.Spec.ActiveDeadlineSeconds >= 0
}

// crossesNamespaces says that where a pod runs depends on pods of other namespaces.
func crossesNamespaces(affinity *corev1.Affinity) bool {
	if affinity == nil {
		return false
	}
	var required []corev1.PodAffinityTerm
	var preferred []corev1.WeightedPodAffinityTerm
	if near := affinity.PodAffinity; near != nil {
		required = append(required, near.RequiredDuringSchedulingIgnoredDuringExecution...)
		preferred = append(preferred, near.PreferredDuringSchedulingIgnoredDuringExecution...)
	}
	if far := affinity.PodAntiAffinity; far != nil {
		required = append(required, far.RequiredDuringSchedulingIgnoredDuringExecution...)
		preferred = append(preferred, far.PreferredDuringSchedulingIgnoredDuringExecution...)
	}
	for i := range preferred {
		required = append(required, preferred[i].PodAffinityTerm)
	}
	return slices.ContainsFunc(required, func(t corev1.PodAffinityTerm) bool { return len(t.Namespaces) > 0 || t.NamespaceSelector != nil })
}

// podDemands refuses a pod with containers that do not say how much processor and
// memory they need, where a quota limits that. Of other resources it is not demanded.
func podDemands(required []corev1.ResourceName, obj runtime.Object) error {
	pod, err := podOf(obj)
	if err != nil {
		return err
	}
	if features.Enabled(features.PodLevelResources) && resourcehelper.IsPodLevelResourcesSet(pod) {
		return nil
	}
	missing := map[corev1.ResourceName]sets.Set[string]{}
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			said := computeUsage(list[i].Resources.Requests, list[i].Resources.Limits)
			for _, name := range required {
				if _, ok := said[name]; !ok && demanded(name) {
					if missing[name] == nil {
						missing[name] = sets.New[string]()
					}
					missing[name].Insert(list[i].Name)
				}
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		texts = append(texts, fmt.Sprintf("%s for: %s", name, strings.Join(sets.List(missing[name]), ",")))
	}
	return fmt.Errorf("must specify %s", strings.Join(texts, "; "))
}

func demanded(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceRequestsCPU, corev1.ResourceLimitsCPU,
		corev1.ResourceMemory, corev1.ResourceRequestsMemory, corev1.ResourceLimitsMemory:
		return true
	}
	return false
}

func podUsage(obj runtime.Object) (corev1.ResourceList, error) {
	pod, err := podOf(obj)
	if err != nil {
		return nil, err
	}
	out := corev1.ResourceList{counted("", "pods"): number(1)}
	if !usesCompute(pod) {
		return out, nil
	}
	options := resourcehelper.PodResourcesOptions{
		UseStatusResources:    true,
		SkipPodLevelResources: !features.Enabled(features.PodLevelResources),
	}
	maps.Copy(out, computeUsage(resourcehelper.PodRequests(pod, options), resourcehelper.PodLimits(pod, options)))
	return out, nil
}

// usesCompute says whether a pod may still run: it has not ended, and has not been on
// a lost node for longer than it had to stop.
func usesCompute(pod *corev1.Pod) bool {
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		return false
	}
	if pod.DeletionTimestamp == nil || pod.DeletionGracePeriodSeconds == nil {
		return true
	}
	return !time.Now().After(pod.DeletionTimestamp.Add(time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second))
}

// computeUsage names requests and limits as quotas do.
func computeUsage(requests, limits corev1.ResourceList) corev1.ResourceList {
	out := corev1.ResourceList{corev1.ResourcePods: number(1)}
	for name, quantity := range requests {
		switch {
		case name == corev1.ResourceCPU, name == corev1.ResourceMemory, name == corev1.ResourceEphemeralStorage, validation.IsHugePageResource(name):
			out[name] = quantity
		case !validation.IsExtendedResource(name) && !strings.HasPrefix(string(name), resourcev1.ResourceDeviceClassPrefix):
			continue
		}
		out[corev1.DefaultResourceRequestsPrefix+name] = quantity
	}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		if quantity, ok := limits[name]; ok {
			out["limits."+name] = quantity
		}
	}
	return out
}
