// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	netutils "k8s.io/utils/net"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
)

// serviceOf is the service that the store calls obj.
func serviceOf(obj runtime.Object) *corev1.Service { return (*corev1.Service)(obj.(*core.Service)) }

func parseResource(text string) schema.GroupResource { return schema.ParseGroupResource(text) }

func needsClusterIP(svc *corev1.Service) bool { return svc.Spec.Type != corev1.ServiceTypeExternalName }

func needsNodePort(svc *corev1.Service) bool {
	return svc.Spec.Type == corev1.ServiceTypeNodePort || svc.Spec.Type == corev1.ServiceTypeLoadBalancer
}

func needsHealthCheckPort(svc *corev1.Service) bool { return validation.NeedsHealthCheck(svc) }

// nodePorts are those of the ports, without that for health checks.
func nodePorts(svc *corev1.Service) []int32 {
	var out []int32
	for _, p := range svc.Spec.Ports {
		if p.NodePort != 0 {
			out = append(out, p.NodePort)
		}
	}
	return out
}

// clusterIPs are the addresses that a service has.
func clusterIPs(svc *corev1.Service) []netip.Addr {
	var out []netip.Addr
	if !needsClusterIP(svc) {
		return nil
	}
	all := svc.Spec.ClusterIPs
	if len(all) == 0 && svc.Spec.ClusterIP != "" {
		all = []string{svc.Spec.ClusterIP}
	}
	for _, text := range all {
		if ip := netutils.ParseIPSloppy(text); ip != nil {
			addr, _ := netip.ParseAddr(ip.String())
			out = append(out, addr)
		}
	}
	return out
}

func sameIPs(a, b *corev1.Service) bool { return slices.Equal(a.Spec.ClusterIPs, b.Spec.ClusterIPs) }

func sameFamilies(a, b *corev1.Service) bool {
	return slices.Equal(a.Spec.IPFamilies, b.Spec.IPFamilies)
}

// alignClusterIPs makes the list follow the single field for clients that know only
// that one. Clients that know both must set both.
func alignClusterIPs(svc, old *corev1.Service) {
	now := &svc.Spec
	if old == nil {
		if now.ClusterIP != "" && len(now.ClusterIPs) == 0 {
			now.ClusterIPs = []string{now.ClusterIP}
		}
		return
	}
	before := &old.Spec
	if len(before.ClusterIPs) > 0 && len(now.ClusterIPs) == 0 && before.ClusterIP == now.ClusterIP {
		now.ClusterIPs = slices.Clone(before.ClusterIPs)
	}
	if before.ClusterIP == now.ClusterIP || !sameIPs(svc, old) {
		return
	}
	if before.ClusterIP != "" && now.ClusterIP == "" {
		now.ClusterIPs = nil
	} else {
		now.ClusterIPs = []string{now.ClusterIP}
	}
}

// keepClaims lets a client send again what it created the service with: what was
// allocated and is not there stays what it is.
func keepClaims(svc, old *corev1.Service) {
	now, before := &svc.Spec, &old.Spec
	if needsClusterIP(svc) && needsClusterIP(old) {
		if now.ClusterIP == "" {
			now.ClusterIP = before.ClusterIP
		}
		if len(now.ClusterIPs) == 0 {
			now.ClusterIPs = slices.Clone(before.ClusterIPs)
		}
	}
	if needsNodePort(svc) && needsNodePort(old) {
		mine := nodePorts(svc)
		byName := map[string]int32{}
		for _, p := range before.Ports {
			byName[p.Name] = p.NodePort
		}
		for i := range now.Ports {
			p := &now.Ports[i]
			if had := byName[p.Name]; p.NodePort == 0 && !slices.Contains(mine, had) {
				p.NodePort = had
			}
		}
	}
	if needsHealthCheckPort(svc) && needsHealthCheckPort(old) && now.HealthCheckNodePort == 0 {
		now.HealthCheckNodePort = before.HealthCheckNodePort
	}
}

// DropUnused clears what the new type of a service has no use for and its user did
// not touch. A type that says so is the one case in which what a user sent is
// changed.
func DropUnused(svc, old *corev1.Service) {
	now, before := &svc.Spec, &old.Spec
	if needsClusterIP(old) && !needsClusterIP(svc) {
		if now.ClusterIP == before.ClusterIP && sameIPs(svc, old) {
			now.ClusterIP, now.ClusterIPs = "", nil
		}
		if sameFamilies(svc, old) {
			now.IPFamilies = nil
		}
		if ptr.Equal(now.IPFamilyPolicy, before.IPFamilyPolicy) {
			now.IPFamilyPolicy = nil
		}
	}
	had := nodePorts(old)
	isNew := func(port int32) bool { return !slices.Contains(had, port) }
	if needsNodePort(old) && !needsNodePort(svc) && !slices.ContainsFunc(nodePorts(svc), isNew) {
		for i := range now.Ports {
			now.Ports[i].NodePort = 0
		}
	}
	if needsHealthCheckPort(old) && !needsHealthCheckPort(svc) && now.HealthCheckNodePort == before.HealthCheckNodePort {
		now.HealthCheckNodePort = 0
	}
	if now.Type != corev1.ServiceTypeLoadBalancer {
		if before.Type == corev1.ServiceTypeLoadBalancer {
			if ptr.Equal(now.AllocateLoadBalancerNodePorts, before.AllocateLoadBalancerNodePorts) {
				now.AllocateLoadBalancerNodePorts = nil
			}
			if ptr.Equal(now.LoadBalancerClass, before.LoadBalancerClass) {
				now.LoadBalancerClass = nil
			}
		}
		svc.Status.LoadBalancer = corev1.LoadBalancerStatus{} // what takes it down need not show
	}
	if validation.ExternallyAccessible(old) && !validation.ExternallyAccessible(svc) && now.ExternalTrafficPolicy == before.ExternalTrafficPolicy {
		now.ExternalTrafficPolicy = ""
	}
}

// complete fills in what services have that were written before there were lists of
// addresses and families. It is called with what is read.
func (a *Allocator) complete(obj runtime.Object) {
	switch o := obj.(type) {
	case *core.Service:
		a.completeService((*corev1.Service)(o))
	case *core.ServiceList:
		for i := range o.Items {
			a.completeService((*corev1.Service)(&o.Items[i]))
		}
	}
}

func (a *Allocator) completeService(svc *corev1.Service) {
	spec := &svc.Spec
	alignClusterIPs(svc, nil)
	if !needsClusterIP(svc) {
		spec.InternalTrafficPolicy = nil // was a default for a while
		return
	}
	if len(spec.IPFamilies) > 0 {
		return
	}
	switch first := a.families[0]; {
	case spec.ClusterIP == corev1.ClusterIPNone && len(spec.Selector) == 0:
		spec.IPFamilies = []corev1.IPFamily{first, otherFamily(first)}
	case spec.ClusterIP == corev1.ClusterIPNone:
		spec.IPFamilies = []corev1.IPFamily{first}
	default:
		for _, ip := range clusterIPs(svc) {
			spec.IPFamilies = append(spec.IPFamilies, familyOf(ip))
		}
	}
	switch len(spec.IPFamilies) {
	case 1:
		spec.IPFamilyPolicy = new(corev1.IPFamilyPolicySingleStack)
	case 2:
		spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyRequireDualStack)
	}
}
