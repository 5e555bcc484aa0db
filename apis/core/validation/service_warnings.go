// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
	"k8s.io/utils/ptr"
)

// WarningsOnService says what a valid service sets without effect, or in a way that
// will stop working.
func WarningsOnService(obj *corev1.Service) []string {
	spec, path := &obj.Spec, field.NewPath("spec")
	var warnings []string
	warn := func(when bool, format string, args ...any) {
		if when {
			warnings = append(warnings, fmt.Sprintf(format, args...))
		}
	}
	ip := func(path *field.Path, value string) {
		if netutils.ParseIPSloppy(value) != nil { // loadBalancerIP may be anything
			warnings = append(warnings, validation.GetWarningsForIP(path, value)...)
		}
	}
	_, hints := obj.Annotations[corev1.DeprecatedAnnotationTopologyAwareHints]
	warn(hints, "annotation %s is deprecated, please use %s instead", corev1.DeprecatedAnnotationTopologyAwareHints, corev1.AnnotationTopologyMode)
	if spec.ClusterIP != corev1.ClusterIPNone {
		for i, value := range spec.ClusterIPs {
			ip(path.Child("clusterIPs").Index(i), value)
		}
	}
	if spec.Type == corev1.ServiceTypeClusterIP && spec.ClusterIP == corev1.ClusterIPNone {
		warn(spec.LoadBalancerIP != "", "spec.loadBalancerIP is ignored for headless services")
		warn(len(spec.ExternalIPs) > 0, "spec.externalIPs is ignored for headless services")
		warn(spec.SessionAffinity != corev1.ServiceAffinityNone, "spec.SessionAffinity is ignored for headless services")
	}
	warn(len(spec.ExternalIPs) > 0, "spec.externalIPs is deprecated and may no longer be implemented in some clusters")
	for i, value := range spec.ExternalIPs {
		ip(path.Child("externalIPs").Index(i), value)
	}
	ip(path.Child("loadBalancerIP"), spec.LoadBalancerIP)
	for i, value := range spec.LoadBalancerSourceRanges {
		warnings = append(warnings, validation.GetWarningsForCIDR(path.Child("loadBalancerSourceRanges").Index(i), value)...)
	}
	external := spec.Type == corev1.ServiceTypeExternalName
	warn(external && len(spec.ExternalIPs) > 0, "spec.externalIPs is ignored when spec.type is %q", corev1.ServiceTypeExternalName)
	warn(!external && spec.ExternalName != "", "spec.externalName is ignored when spec.type is not %q", corev1.ServiceTypeExternalName)
	warn(ptr.Deref(spec.TrafficDistribution, "") == corev1.ServiceTrafficDistributionPreferClose, "spec.trafficDistribution: %q is deprecated; use %q",
		corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone)
	return warnings
}
