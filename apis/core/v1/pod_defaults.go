// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_ResourceList rounds up to thousandths, the smallest parts there are.
func SetDefaults_ResourceList(obj *corev1.ResourceList) {
	for name, value := range *obj {
		value.RoundUp(-3)
		(*obj)[name] = value
	}
}

// SetDefaults_Container pulls an image that may have changed, and reads why the
// container ended from the usual file.
func SetDefaults_Container(obj *corev1.Container) {
	if obj.ImagePullPolicy == "" {
		obj.ImagePullPolicy = pullPolicy(obj.Image)
	}
	defaults.Value(&obj.TerminationMessagePath, corev1.TerminationMessagePathDefault)
	defaults.Value(&obj.TerminationMessagePolicy, corev1.TerminationMessageReadFile)
}

// SetDefaults_EphemeralContainer does the same.
func SetDefaults_EphemeralContainer(obj *corev1.EphemeralContainer) {
	SetDefaults_Container((*corev1.Container)(&obj.EphemeralContainerCommon))
}

// SetDefaults_Probe asks every ten seconds and waits for one; three failures are
// one too many.
func SetDefaults_Probe(obj *corev1.Probe) {
	defaults.Value(&obj.TimeoutSeconds, 1)
	defaults.Value(&obj.PeriodSeconds, 10)
	defaults.Value(&obj.SuccessThreshold, 1)
	defaults.Value(&obj.FailureThreshold, 3)
}

// SetDefaults_HTTPGetAction gets the root without encryption.
func SetDefaults_HTTPGetAction(obj *corev1.HTTPGetAction) {
	defaults.Value(&obj.Path, "/")
	defaults.Value(&obj.Scheme, corev1.URISchemeHTTP)
}

// SetDefaults_ObjectFieldSelector means a field of v1.
func SetDefaults_ObjectFieldSelector(obj *corev1.ObjectFieldSelector) {
	defaults.Value(&obj.APIVersion, "v1")
}

// SetDefaults_PodSpec gives what every spec has, also in templates. More defaults
// here would change what templates hash to: see SetDefaults_Pod.
func SetDefaults_PodSpec(obj *corev1.PodSpec) {
	defaults.Value(&obj.DNSPolicy, corev1.DNSClusterFirst)
	defaults.Value(&obj.RestartPolicy, corev1.RestartPolicyAlways)
	defaults.Value(&obj.SchedulerName, corev1.DefaultSchedulerName)
	defaults.Pointer(&obj.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)
	defaults.Pointer(&obj.SecurityContext, corev1.PodSecurityContext{})
	// Two names of one thing, of which the newer wins.
	defaults.Value(&obj.ServiceAccountName, obj.DeprecatedServiceAccount)
	obj.DeprecatedServiceAccount = obj.ServiceAccountName
}

// SetDefaults_Pod gives what a pod has beyond its template.
func SetDefaults_Pod(obj *corev1.Pod) {
	for _, list := range [][]corev1.Container{obj.Spec.Containers, obj.Spec.InitContainers} {
		for i := range list {
			requestLimits(&list[i].Resources)
			for j := range list[i].Ports {
				if port := &list[i].Ports[j]; obj.Spec.HostNetwork {
					defaults.Value(&port.HostPort, port.ContainerPort)
				}
			}
		}
	}
	if obj.Spec.Resources != nil {
		setHugePageLimits(obj)
		setPodRequests(obj)
	}
	defaults.Pointer(&obj.Spec.EnableServiceLinks, corev1.DefaultEnableServiceLinks)
	// A template keeps what was written in it.
	if period := obj.Spec.TerminationGracePeriodSeconds; period != nil && *period < 0 {
		obj.Spec.TerminationGracePeriodSeconds = ptr.To[int64](1)
	}
	obj.Annotations = withoutInitContainers(obj.Annotations)
}

// SetDefaults_PodTemplateSpec takes away what would be a difference to templates of
// clients that are not as old.
func SetDefaults_PodTemplateSpec(obj *corev1.PodTemplateSpec) {
	obj.Annotations = withoutInitContainers(obj.Annotations)
}

// withoutInitContainers drops the annotations that init containers were in before
// there was a field.
func withoutInitContainers(annotations map[string]string) map[string]string {
	isOld := func(key, _ string) bool {
		name, ok := strings.CutPrefix(key, "pod.alpha.kubernetes.io/")
		if !ok {
			name, ok = strings.CutPrefix(key, "pod.beta.kubernetes.io/")
		}
		return ok && (name == "init-containers" || name == "init-container-statuses")
	}
	for key := range annotations {
		if isOld(key, "") {
			annotations = maps.Clone(annotations)
			maps.DeleteFunc(annotations, isOld)
			break
		}
	}
	return annotations
}

// SetDefaults_PodStatus brings the first address, which is all that old clients know,
// and the list of all together. Old kubelets report the first alone.
func SetDefaults_PodStatus(obj *corev1.PodStatus) {
	switch {
	case obj.PodIP == "" && len(obj.PodIPs) > 0:
		obj.PodIP = obj.PodIPs[0].IP
	case obj.PodIP != "" && (len(obj.PodIPs) == 0 || obj.PodIPs[0].IP != obj.PodIP):
		obj.PodIPs = []corev1.PodIP{{IP: obj.PodIP}}
	}
}

// requestLimits asks for what a container is limited to, where nothing else is asked.
func requestLimits(r *corev1.ResourceRequirements) {
	if r.Limits == nil {
		return
	}
	fillFor(&r.Requests, r.Limits, func(corev1.ResourceName) bool { return true })
}

// fillFor adds to a list what it lacks of another.
func fillFor(list *corev1.ResourceList, from corev1.ResourceList, which func(corev1.ResourceName) bool) {
	for name, value := range from {
		if _, ok := (*list)[name]; ok || !which(name) {
			continue
		}
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[name] = value.DeepCopy()
	}
}

func isHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// isShared says that a pod may ask for the resource as a whole, and that it may get
// more than it asks for.
func isShared(name corev1.ResourceName) bool {
	return resource.IsSupportedPodLevelResource(name) && !isHugePages(name)
}

// setHugePageLimits limits a pod to the huge pages of its containers, if it asks for
// something but not for them.
func setHugePageLimits(pod *corev1.Pod) {
	r := pod.Spec.Resources
	if len(r.Limits)+len(r.Requests) == 0 {
		return
	}
	fillFor(&r.Limits, resource.AggregateContainerLimits(pod, resource.PodResourcesOptions{}), func(name corev1.ResourceName) bool {
		_, asked := r.Requests[name]
		return isHugePages(name) && !asked
	})
}

// setPodRequests asks, for a pod that has limits, for what its containers ask, or else
// for the limits.
func setPodRequests(pod *corev1.Pod) {
	r := pod.Spec.Resources
	if len(r.Limits) == 0 {
		return
	}
	fillFor(&r.Requests, resource.AggregateContainerRequests(pod, resource.PodResourcesOptions{}), isShared)
	fillFor(&r.Requests, r.Limits, resource.IsSupportedPodLevelResource)
}
