// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func newService(change func(*corev1.Service)) *corev1.Service {
	svc := &corev1.Service{ObjectMeta: namespaced(), Spec: corev1.ServiceSpec{
		Type: "ClusterIP", SessionAffinity: "None", InternalTrafficPolicy: new(corev1.ServiceInternalTrafficPolicyCluster),
		ClusterIP: "10.0.0.1", ClusterIPs: []string{"10.0.0.1"}, IPFamilies: []corev1.IPFamily{"IPv4"}, IPFamilyPolicy: new(corev1.IPFamilyPolicySingleStack),
		Ports: []corev1.ServicePort{{Port: 80, Protocol: "TCP", TargetPort: intstr.FromInt32(80)}},
	}}
	change(svc)
	return svc
}

func balanced(change func(*corev1.Service)) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Spec.Type, s.Spec.ExternalTrafficPolicy, s.Spec.AllocateLoadBalancerNodePorts = "LoadBalancer", "Cluster", new(true)
		change(s)
	}
}

func unchanged(*corev1.Service) {}

func dualStack(s *corev1.Service) {
	s.Spec.ClusterIPs, s.Spec.IPFamilies = []string{"10.0.0.1", "fd00::1"}, []corev1.IPFamily{"IPv4", "IPv6"}
	s.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyRequireDualStack)
}

func TestValidateService(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*corev1.Service)
		want   []string
	}{
		"valid":      {unchanged, nil},
		"dual stack": {dualStack, nil},
		"headless without ports": {func(s *corev1.Service) {
			s.Spec.ClusterIP, s.Spec.ClusterIPs, s.Spec.Ports = "None", []string{"None"}, nil
		}, nil},
		"headless on nodes": {balanced(func(s *corev1.Service) { s.Spec.ClusterIP, s.Spec.ClusterIPs = "None", []string{"None"} }),
			[]string{`spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for LoadBalancer services`}},
		"another name with addresses": {func(s *corev1.Service) { s.Spec.Type, s.Spec.ExternalName = "ExternalName", "a.example.com." }, []string{
			"spec.clusterIPs: Forbidden: may not be set for ExternalName services",
			"spec.ipFamilies: Forbidden: may not be set for ExternalName services",
			"spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services"}},
		"addresses of one family": {func(s *corev1.Service) { s.Spec.ClusterIPs = []string{"10.0.0.1", "10.0.0.2"} },
			[]string{`spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP family`}},
		"address of another family": {func(s *corev1.Service) { s.Spec.ClusterIP, s.Spec.ClusterIPs = "fd00::1", []string{"fd00::1"} },
			[]string{"spec.clusterIPs[0]: Invalid value: \"fd00::1\": expected an IPv4 value as indicated by `ipFamilies[0]`"}},
		"ports": {func(s *corev1.Service) {
			s.Spec.Ports = append(s.Spec.Ports, s.Spec.Ports[0])
			s.Spec.Ports[0].NodePort = 30000
		}, []string{"spec.ports[0].name: Required value", "spec.ports[1].name: Required value",
			"spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
			"spec.ports[1]: Duplicate value: {"}},
		"port of kubelets": {balanced(func(s *corev1.Service) { s.Spec.Ports[0].Port = 10250 }),
			[]string{"spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet"}},
		"affinity": {func(s *corev1.Service) { s.Spec.SessionAffinity = "ClientIP" },
			[]string{"spec.sessionAffinityConfig: Required value: when session affinity type is ClientIP"}},
		"source ranges in the annotation": {func(s *corev1.Service) {
			s.Annotations = map[string]string{corev1.AnnotationLoadBalancerSourceRangesKey: "10.0.0.0/8, x"}
		}, []string{
			"metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Forbidden: may only be used when `type` is 'LoadBalancer'",
			`metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Invalid value: "x": must be a valid CIDR value`}},
		"health check": {balanced(func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = "Local" }),
			[]string{"spec.healthCheckNodePort: Required value"}},
		"only for load balancers": {func(s *corev1.Service) {
			s.Spec.AllocateLoadBalancerNodePorts, s.Spec.LoadBalancerClass, s.Spec.HealthCheckNodePort = new(false), new("a"), 30000
			s.Spec.ExternalTrafficPolicy = "Local"
		}, []string{
			"spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
			"spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
			`spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services`,
			"spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.ComparePrefixes(t, test.want, ValidateService(newService(test.change)))
		})
	}
}

func TestValidateServiceUpdate(t *testing.T) {
	t.Parallel()
	ips := func(ips ...string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Spec.ClusterIP, s.Spec.ClusterIPs = ips[0], ips }
	}
	for name, test := range map[string]struct {
		old, obj func(*corev1.Service)
		want     []string
	}{
		"a second family comes": {unchanged, dualStack, nil},
		"and goes":              {dualStack, unchanged, nil},
		"but not silently": {dualStack, func(s *corev1.Service) { s.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyPreferDualStack) }, []string{
			`spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary clusterIP`,
			`spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary ipFamily`}},
		"the first address stays": {unchanged, ips("10.0.0.2"),
			[]string{`spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set`}},
		"headless stays so": {ips("None"), unchanged, []string{`spec.clusterIPs[0]: Invalid value: ["10.0.0.1"]: may not change once set`}},
		"an old form stays": {ips("10.0.0.01"), ips("10.0.0.01"), nil},
		"but does not come": {ips("None"), ips("10.0.0.01"), []string{
			`spec.clusterIPs[0]: Invalid value: ["10.0.0.01"]: may not change once set`,
			`spec.clusterIPs[0]: Invalid value: "10.0.0.01": must not have leading 0s`}},
		"a class with the type": {unchanged, balanced(func(s *corev1.Service) { s.Spec.LoadBalancerClass = new("a") }), nil},
		"no other class": {balanced(unchanged), balanced(func(s *corev1.Service) { s.Spec.LoadBalancerClass = new("a") }),
			[]string{`spec.loadBalancerClass: Invalid value: "a": may not change once set`}},
		"old source ranges stay": {balanced(func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = []string{"10.0.0.1/8"} }),
			balanced(func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = []string{" 10.0.0.1/8"} }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.ComparePrefixes(t, test.want, ValidateServiceUpdate(newService(test.obj), newService(test.old)))
		})
	}
}

func TestValidateServiceStatus(t *testing.T) {
	t.Parallel()
	ingress := func(in corev1.LoadBalancerIngress) *corev1.Service {
		return newService(balanced(func(s *corev1.Service) { s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{in} }))
	}
	none, vip := newService(balanced(unchanged)), new(corev1.LoadBalancerIPModeVIP)
	fielderrorstest.ComparePrefixes(t, nil, ValidateServiceStatus(ingress(corev1.LoadBalancerIngress{IP: "1.2.3.4", IPMode: vip}), none))
	fielderrorstest.ComparePrefixes(t, []string{"status.loadBalancer.ingress[0].ipMode: Required value: must be specified when `ip` is set"},
		ValidateServiceStatus(ingress(corev1.LoadBalancerIngress{IP: "1.2.3.4"}), none))
	fielderrorstest.ComparePrefixes(t, []string{`status.loadBalancer.ingress[0].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address`},
		ValidateServiceStatus(ingress(corev1.LoadBalancerIngress{Hostname: "1.2.3.4"}), none))
	old := ingress(corev1.LoadBalancerIngress{IP: "1.2.3.04", IPMode: vip})
	fielderrorstest.ComparePrefixes(t, nil, ValidateServiceStatus(old, old))
	fielderrorstest.ComparePrefixes(t, []string{"status.loadBalancer.ingress[0].ip: Invalid value: "}, ValidateServiceStatus(old, none))
	old.Spec.Type = "NodePort"
	fielderrorstest.ComparePrefixes(t, []string{"status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"}, ValidateServiceStatus(old, old))
}

func TestWarningsOnService(t *testing.T) {
	t.Parallel()
	got := WarningsOnService(newService(func(s *corev1.Service) {
		s.Spec.ClusterIP, s.Spec.ClusterIPs, s.Spec.SessionAffinity = "None", []string{"None"}, "ClientIP"
		s.Spec.ExternalName, s.Spec.TrafficDistribution = "a", new("PreferClose")
		s.Spec.LoadBalancerIP = "fd00:0::1"
	}))
	want := []string{
		"spec.loadBalancerIP is ignored for headless services",
		"spec.SessionAffinity is ignored for headless services",
		"spec.loadBalancerIP: IPv6 address \"fd00:0::1\" should be in RFC 5952 canonical format (\"fd00::1\")",
		`spec.externalName is ignored when spec.type is not "ExternalName"`,
		`spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"`,
	}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("warnings (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestValidateEndpointsUpdate(t *testing.T) {
	t.Parallel()
	endpoints := func(subsets ...corev1.EndpointSubset) *corev1.Endpoints {
		return &corev1.Endpoints{ObjectMeta: namespaced(), Subsets: subsets}
	}
	old := corev1.EndpointSubset{Addresses: []corev1.EndpointAddress{{IP: "1.2.3.04"}}}
	fielderrorstest.ComparePrefixes(t, nil, ValidateEndpointsUpdate(endpoints(old), endpoints(old)))
	changed := *old.DeepCopy()
	changed.Ports = []corev1.EndpointPort{{Port: 1, Protocol: "TCP"}}
	fielderrorstest.ComparePrefixes(t, []string{"subsets[0].addresses[0].ip: Invalid value: "}, ValidateEndpointsUpdate(endpoints(changed), endpoints(old)))
	fielderrorstest.ComparePrefixes(t, []string{"subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`",
		"subsets[1].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range"},
		ValidateEndpoints(endpoints(corev1.EndpointSubset{}, corev1.EndpointSubset{Addresses: []corev1.EndpointAddress{{IP: "127.0.0.1"}}})))
}
