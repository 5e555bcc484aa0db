// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import corev1 "k8s.io/api/core/v1"

// SetDefaults_NodeSpec makes podCIDR and podCIDRs agree: the former is the first of
// the latter, and wins, because clients older than the list write it alone.
func SetDefaults_NodeSpec(obj *corev1.NodeSpec) {
	switch {
	case obj.PodCIDR == "" && len(obj.PodCIDRs) > 0:
		obj.PodCIDR = obj.PodCIDRs[0]
	case obj.PodCIDR != "" && (len(obj.PodCIDRs) == 0 || obj.PodCIDRs[0] != obj.PodCIDR):
		obj.PodCIDRs = []string{obj.PodCIDR}
	}
}

// SetDefaults_NodeStatus makes all that a node has allocatable.
func SetDefaults_NodeStatus(obj *corev1.NodeStatus) {
	if obj.Allocatable == nil && obj.Capacity != nil {
		obj.Allocatable = obj.Capacity.DeepCopy()
	}
}
