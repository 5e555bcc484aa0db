// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/metrics/testutil"

	"github.com/stoa-project/stoa/apis/core"
)

const (
	ipCounts = `
# HELP kube_apiserver_clusterip_allocator_allocated_ips [ALPHA] Gauge measuring the number of allocated IPs for Services
# TYPE kube_apiserver_clusterip_allocator_allocated_ips gauge
kube_apiserver_clusterip_allocator_allocated_ips{cidr="10.9.0.0/30"} ALLOCATED_IPS
# HELP kube_apiserver_clusterip_allocator_available_ips [ALPHA] Gauge measuring the number of available IPs for Services
# TYPE kube_apiserver_clusterip_allocator_available_ips gauge
kube_apiserver_clusterip_allocator_available_ips{cidr="10.9.0.0/30"} AVAILABLE_IPS
`
	portCounts = `
# HELP kube_apiserver_nodeport_allocator_allocated_ports [ALPHA] Gauge measuring the number of allocated NodePorts for Services
# TYPE kube_apiserver_nodeport_allocator_allocated_ports gauge
kube_apiserver_nodeport_allocator_allocated_ports ALLOCATED_PORTS
# HELP kube_apiserver_nodeport_allocator_available_ports [ALPHA] Gauge measuring the number of available NodePorts for Services
# TYPE kube_apiserver_nodeport_allocator_available_ports gauge
kube_apiserver_nodeport_allocator_available_ports AVAILABLE_PORTS
`
	totals = `
# HELP kube_apiserver_clusterip_allocator_allocation_errors_total [ALPHA] Number of errors trying to allocate Cluster IPs
# TYPE kube_apiserver_clusterip_allocator_allocation_errors_total counter
kube_apiserver_clusterip_allocator_allocation_errors_total{cidr="10.9.0.0/30",scope="dynamic"} 1
kube_apiserver_clusterip_allocator_allocation_errors_total{cidr="10.9.0.0/30",scope="static"} 1
# HELP kube_apiserver_clusterip_allocator_allocation_total [ALPHA] Number of Cluster IPs allocations
# TYPE kube_apiserver_clusterip_allocator_allocation_total counter
kube_apiserver_clusterip_allocator_allocation_total{cidr="10.9.0.0/30",scope="dynamic"} 1
kube_apiserver_clusterip_allocator_allocation_total{cidr="10.9.0.0/30",scope="static"} 1
# HELP kube_apiserver_nodeport_allocator_allocation_errors_total [ALPHA] Number of errors trying to allocate NodePort
# TYPE kube_apiserver_nodeport_allocator_allocation_errors_total counter
kube_apiserver_nodeport_allocator_allocation_errors_total{scope="static"} 1
# HELP kube_apiserver_nodeport_allocator_allocation_total [ALPHA] Number of NodePort allocations
# TYPE kube_apiserver_nodeport_allocator_allocation_total counter
kube_apiserver_nodeport_allocator_allocation_total{scope="dynamic"} 2
kube_apiserver_nodeport_allocator_allocation_total{scope="static"} 1
`
)

// The metrics have the names, labels and words of kube-apiserver. They are those of the
// process, so that this test runs before those that run in parallel.
func TestMetrics(t *testing.T) { //nolint:paralleltest // see above
	a := newAllocator(t, somePorts, "10.9.0.0/30")
	check := func(want string, values ...string) {
		t.Helper()
		want = strings.NewReplacer(values...).Replace(want)
		var names []string
		for line := range strings.Lines(want) {
			if name, _, isType := strings.Cut(strings.TrimPrefix(line, "# TYPE "), " "); isType && strings.HasPrefix(line, "# TYPE ") {
				names = append(names, name)
			}
		}
		if err := testutil.GatherAndCompare(legacyregistry.DefaultGatherer, strings.NewReader(want), names...); err != nil {
			t.Error(err)
		}
	}
	legacyregistry.Reset()
	if err := a.Repair(t.Context()); err != nil { // which counts what is there
		t.Fatal(err)
	}
	check(ipCounts, "ALLOCATED_IPS", "0", "AVAILABLE_IPS", "2")
	check(portCounts, "ALLOCATED_PORTS", "0", "AVAILABLE_PORTS", "20")
	first := newService("a", corev1.ServiceTypeNodePort, corev1.ServicePort{Port: 80, NodePort: 30001}, corev1.ServicePort{Port: 81})
	first.Spec.ClusterIP = "10.9.0.2"
	second := newService("b", corev1.ServiceTypeNodePort, corev1.ServicePort{Port: 80})
	taken := newService("c", corev1.ServiceTypeClusterIP)
	taken.Spec.ClusterIP = "10.9.0.2"
	takenPort := newService("d", corev1.ServiceTypeNodePort, corev1.ServicePort{Port: 80, NodePort: 30001})
	takenPort.Spec.ClusterIP = corev1.ClusterIPNone
	for _, tc := range []struct {
		svc  *corev1.Service
		fail bool
	}{{first, false}, {second, false}, {taken, true}, {newService("e", corev1.ServiceTypeClusterIP), true}, {takenPort, true}} {
		if err := a.write(t, tc.svc, nil); (err != nil) != tc.fail {
			t.Fatal(tc.svc.Name, err)
		}
	}
	check(ipCounts, "ALLOCATED_IPS", "2", "AVAILABLE_IPS", "0")
	check(portCounts, "ALLOCATED_PORTS", "3", "AVAILABLE_PORTS", "17")
	check(totals)
	durations, err := testutil.GetHistogramVecFromGatherer(legacyregistry.DefaultGatherer,
		"kube_apiserver_clusterip_allocator_allocation_duration_seconds", map[string]string{"cidr": "10.9.0.0/30"})
	if err != nil || durations.GetAggregatedSampleCount() != 2 {
		t.Errorf("durations: %v, %v, want two", durations, err)
	}
	a.afterDelete(second, &metav1.DeleteOptions{})
	check(ipCounts, "ALLOCATED_IPS", "1", "AVAILABLE_IPS", "1")
	check(portCounts, "ALLOCATED_PORTS", "2", "AVAILABLE_PORTS", "18")
	legacyregistry.Reset() // as at another start
	if err := a.services.Create(t.Context(), a.servicesPath+"/a/a", (*core.Service)(first), nil, 0); err != nil {
		t.Fatal(err)
	}
	if err := a.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(ipCounts, "ALLOCATED_IPS", "1", "AVAILABLE_IPS", "1")
	check(portCounts, "ALLOCATED_PORTS", "2", "AVAILABLE_PORTS", "18")
}
