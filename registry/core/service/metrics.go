// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"net/netip"
	"sync"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

// How something was claimed, as metrics name it: what a user chose, or any.
const (
	chosen = "static"
	free   = "dynamic"
)

// measures are the metrics of claims, as upstream has them. How many addresses are
// claimed is counted at each repair and followed by what this server does; other
// servers are seen at the next repair. Node ports are counted at each change.
type measures struct {
	allocatedIPs, availableIPs     *metrics.GaugeVec
	ipClaims, ipErrors             *metrics.CounterVec
	ipDuration                     *metrics.HistogramVec
	allocatedPorts, availablePorts *metrics.Gauge
	portClaims, portErrors         *metrics.CounterVec
}

// measured are those of all servers of a process, which have one registry of metrics.
var measured = sync.OnceValue(func() measures { //nolint:gochecknoglobals // like the registry
	const ips, ports = "clusterip_allocator", "nodeport_allocator"
	gauge := func(subsystem, name, help string) *metrics.GaugeOpts {
		return &metrics.GaugeOpts{Namespace: "kube_apiserver", Subsystem: subsystem, Name: name, Help: help, StabilityLevel: metrics.ALPHA}
	}
	counter := func(subsystem, name, help string) *metrics.CounterOpts {
		return (*metrics.CounterOpts)(gauge(subsystem, name, help))
	}
	byCIDR, byScope, byBoth := []string{"cidr"}, []string{"scope"}, []string{"cidr", "scope"}
	m := measures{
		allocatedIPs: metrics.NewGaugeVec(gauge(ips, "allocated_ips", "Gauge measuring the number of allocated IPs for Services"), byCIDR),
		availableIPs: metrics.NewGaugeVec(gauge(ips, "available_ips", "Gauge measuring the number of available IPs for Services"), byCIDR),
		ipClaims:     metrics.NewCounterVec(counter(ips, "allocation_total", "Number of Cluster IPs allocations"), byBoth),
		ipErrors:     metrics.NewCounterVec(counter(ips, "allocation_errors_total", "Number of errors trying to allocate Cluster IPs"), byBoth),
		ipDuration: metrics.NewHistogramVec(&metrics.HistogramOpts{
			Namespace: "kube_apiserver", Subsystem: ips, Name: "allocation_duration_seconds", StabilityLevel: metrics.ALPHA,
			Help: "Duration in seconds to allocate a Cluster IP by ServiceCIDR", Buckets: metrics.DefBuckets,
		}, byCIDR),
		allocatedPorts: metrics.NewGauge(gauge(ports, "allocated_ports", "Gauge measuring the number of allocated NodePorts for Services")),
		availablePorts: metrics.NewGauge(gauge(ports, "available_ports", "Gauge measuring the number of available NodePorts for Services")),
		portClaims:     metrics.NewCounterVec(counter(ports, "allocation_total", "Number of NodePort allocations"), byScope),
		portErrors:     metrics.NewCounterVec(counter(ports, "allocation_errors_total", "Number of errors trying to allocate NodePort"), byScope),
	}
	legacyregistry.MustRegister(m.allocatedIPs, m.availableIPs, m.ipClaims, m.ipErrors, m.ipDuration,
		m.allocatedPorts, m.availablePorts, m.portClaims, m.portErrors)
	return m
})

// claimIP counts a claim, or what failed with err, of an address of a block.
func (m measures) claimIP(b block, scope string, start time.Time, err error) {
	cidr := b.prefix.String()
	if err != nil {
		m.ipErrors.WithLabelValues(cidr, scope).Inc()
		return
	}
	m.ipClaims.WithLabelValues(cidr, scope).Inc()
	m.ipDuration.WithLabelValues(cidr).Observe(time.Since(start).Seconds())
	m.addIPs(b, 1)
}

// addIPs counts claims that are new, or gone if n is negative.
func (m measures) addIPs(b block, n float64) {
	m.allocatedIPs.WithLabelValues(b.prefix.String()).Add(n)
	m.availableIPs.WithLabelValues(b.prefix.String()).Add(-n)
}

// setIPs counts all claims anew.
func (m measures) setIPs(b block, claimed map[netip.Addr]bool) {
	n := 0
	for ip := range claimed {
		if b.has(ip) {
			n++
		}
	}
	m.allocatedIPs.WithLabelValues(b.prefix.String()).Set(float64(n))
	m.availableIPs.WithLabelValues(b.prefix.String()).Set(float64(b.size) - float64(n))
}

func (m measures) setPorts(taken *bitmap) {
	n := len(taken.ports())
	m.allocatedPorts.Set(float64(n))
	m.availablePorts.Set(float64(taken.all.Size - n))
}
