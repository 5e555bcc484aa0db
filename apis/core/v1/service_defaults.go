// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_Service fills in what follows from the rest. Addresses, node ports
// and IP families are allocated when the service is stored.
func SetDefaults_Service(obj *corev1.Service) {
	spec := &obj.Spec
	defaults.Value(&spec.SessionAffinity, corev1.ServiceAffinityNone)
	switch config := spec.SessionAffinityConfig; {
	case spec.SessionAffinity == corev1.ServiceAffinityNone:
		spec.SessionAffinityConfig = nil
	case spec.SessionAffinity == corev1.ServiceAffinityClientIP &&
		(config == nil || config.ClientIP == nil || config.ClientIP.TimeoutSeconds == nil):
		spec.SessionAffinityConfig = &corev1.SessionAffinityConfig{
			ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: new(corev1.DefaultClientIPServiceAffinitySeconds)}}
	}
	defaults.Value(&spec.Type, corev1.ServiceTypeClusterIP)
	for i := range spec.Ports {
		p := &spec.Ports[i]
		defaults.Value(&p.Protocol, corev1.ProtocolTCP)
		if p.TargetPort == intstr.FromInt32(0) || p.TargetPort == intstr.FromString("") {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
	balanced := spec.Type == corev1.ServiceTypeLoadBalancer
	onNodes := balanced || spec.Type == corev1.ServiceTypeNodePort
	inCluster := spec.Type == corev1.ServiceTypeClusterIP
	if spec.ExternalTrafficPolicy == "" && (onNodes || inCluster && len(spec.ExternalIPs) > 0) {
		spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
	}
	if spec.InternalTrafficPolicy == nil && (onNodes || inCluster) {
		spec.InternalTrafficPolicy = new(corev1.ServiceInternalTrafficPolicyCluster)
	}
	if !balanced {
		return
	}
	defaults.Pointer(&spec.AllocateLoadBalancerNodePorts, true)
	for i := range obj.Status.LoadBalancer.Ingress {
		if in := &obj.Status.LoadBalancer.Ingress[i]; in.IP != "" && in.IPMode == nil {
			in.IPMode = new(corev1.LoadBalancerIPModeVIP)
		}
	}
}
