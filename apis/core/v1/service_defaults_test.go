// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestSetDefaultsService(t *testing.T) {
	t.Parallel()
	cluster := new(corev1.ServiceInternalTrafficPolicyCluster)
	for name, test := range map[string]struct{ in, want corev1.ServiceSpec }{
		"cluster IP": {corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}, {Port: 81, TargetPort: intstr.FromString("a"), Protocol: "UDP"}}},
			corev1.ServiceSpec{Type: "ClusterIP", SessionAffinity: "None", InternalTrafficPolicy: cluster, Ports: []corev1.ServicePort{
				{Port: 80, TargetPort: intstr.FromInt32(80), Protocol: "TCP"}, {Port: 81, TargetPort: intstr.FromString("a"), Protocol: "UDP"}}}},
		"external IPs": {corev1.ServiceSpec{ExternalIPs: []string{"1.2.3.4"}}, corev1.ServiceSpec{ExternalIPs: []string{"1.2.3.4"},
			Type: "ClusterIP", SessionAffinity: "None", InternalTrafficPolicy: cluster, ExternalTrafficPolicy: "Cluster"}},
		"affinity": {corev1.ServiceSpec{Type: "NodePort", SessionAffinity: "ClientIP"}, corev1.ServiceSpec{
			Type: "NodePort", SessionAffinity: "ClientIP", InternalTrafficPolicy: cluster, ExternalTrafficPolicy: "Cluster",
			SessionAffinityConfig: &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: new(int32(10800))}}}},
		"no affinity": {corev1.ServiceSpec{Type: "ExternalName", SessionAffinityConfig: &corev1.SessionAffinityConfig{}},
			corev1.ServiceSpec{Type: "ExternalName", SessionAffinity: "None"}},
		"load balancer": {corev1.ServiceSpec{Type: "LoadBalancer"}, corev1.ServiceSpec{Type: "LoadBalancer", SessionAffinity: "None",
			InternalTrafficPolicy: cluster, ExternalTrafficPolicy: "Cluster", AllocateLoadBalancerNodePorts: new(true)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := &corev1.Service{Spec: test.in}
			SetDefaults_Service(got)
			if diff := cmp.Diff(test.want, got.Spec); diff != "" {
				t.Errorf("defaults (-want +got):\n%s", diff)
			}
		})
	}
}
