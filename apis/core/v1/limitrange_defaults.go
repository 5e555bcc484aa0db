// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import corev1 "k8s.io/api/core/v1"

// SetDefaults_LimitRangeItem completes the limits of containers: the default limit
// of a resource is max, its default request the default limit or else min.
func SetDefaults_LimitRangeItem(obj *corev1.LimitRangeItem) {
	if obj.Type != corev1.LimitTypeContainer {
		return
	}
	if obj.Default == nil {
		obj.Default = corev1.ResourceList{}
	}
	if obj.DefaultRequest == nil {
		obj.DefaultRequest = corev1.ResourceList{}
	}
	fill(obj.Default, obj.Max)
	fill(obj.DefaultRequest, obj.Default)
	fill(obj.DefaultRequest, obj.Min)
}

// fill copies the values of from that list lacks.
func fill(list, from corev1.ResourceList) {
	for name, value := range from {
		if _, set := list[name]; !set {
			list[name] = value.DeepCopy()
		}
	}
}
