// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package qos says how a pod is treated when its node runs short of something. It
// looks at what the pod asks for and nothing else; start at [Of].
package qos

import (
	corev1 "k8s.io/api/core/v1"
)

// Of returns the class of a pod: that in its status, which never changes, or that
// which its spec gives it.
func Of(pod *corev1.Pod) corev1.PodQOSClass {
	if pod.Status.QOSClass != "" {
		return pod.Status.QOSClass
	}
	return Compute(&pod.Spec)
}

// Compute returns the class that a spec gives a pod.
func Compute(spec *corev1.PodSpec) corev1.PodQOSClass {
	requests, limits, limited := corev1.ResourceList{}, corev1.ResourceList{}, true
	use := func(r *corev1.ResourceRequirements) {
		add(requests, r.Requests)
		// Every container must be limited in both.
		limited = add(limits, r.Limits) == len(counted) && limited
	}
	if spec.Resources != nil {
		// What is asked for as a whole hides what containers ask for.
		use(spec.Resources)
		limited = limited || len(spec.Resources.Limits) == 0
	} else {
		for _, list := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
			for i := range list {
				use(&list[i].Resources)
			}
		}
	}
	if len(requests)+len(limits) == 0 {
		return corev1.PodQOSBestEffort
	}
	for name, request := range requests {
		limit, ok := limits[name]
		limited = limited && ok && limit.Cmp(request) == 0
	}
	if limited && len(requests) == len(limits) {
		return corev1.PodQOSGuaranteed
	}
	return corev1.PodQOSBurstable
}

// counted are the resources that the class depends on.
//
//nolint:gochecknoglobals // constant
var counted = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}

// add adds what list has of the counted resources to sum, and says of how many it
// has some.
func add(sum, list corev1.ResourceList) int {
	n := 0
	for _, name := range counted {
		value, ok := list[name]
		if !ok || value.Sign() <= 0 {
			continue
		}
		n++
		total := sum[name]
		total.Add(value)
		sum[name] = total
	}
	return n
}
