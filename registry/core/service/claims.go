// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/core"
)

// create claims for a new service.
func (t *transaction) create(ctx context.Context) error {
	svc := t.svc
	alignClusterIPs(svc, nil)
	if err := t.a.chooseFamilies(svc, nil); err != nil {
		return err
	}
	if err := t.claimIPs(ctx); err != nil {
		return err
	}
	var requests []portRequest
	if needsNodePort(svc) {
		requests = t.newPorts()
	}
	if needsHealthCheckPort(svc) {
		requests = append(requests, t.healthPort())
	}
	return t.claimPorts(ctx, requests)
}

// update claims what a changed service lacks.
func (t *transaction) update(ctx context.Context) error {
	svc, old := t.svc, t.old
	t.a.completeService(old)
	t.had = heldBy(old)
	keepClaims(svc, old)
	alignClusterIPs(svc, old)
	if err := t.a.chooseFamilies(svc, old); err != nil {
		return err
	}
	if err := t.updateIPs(ctx); err != nil {
		return err
	}
	var requests []portRequest
	if needsNodePort(svc) {
		var err error
		if requests, err = t.changedPorts(); err != nil {
			return err
		}
	}
	if needsHealthCheckPort(svc) && !needsHealthCheckPort(old) {
		requests = append(requests, t.healthPort())
	}
	return t.claimPorts(ctx, requests)
}

// claimIPs claims an address for each family of a service that has cluster IPs.
func (t *transaction) claimIPs(ctx context.Context) error {
	spec := &t.svc.Spec
	if spec.Type == corev1.ServiceTypeExternalName || len(spec.ClusterIPs) > 0 && spec.ClusterIPs[0] == corev1.ClusterIPNone {
		return nil
	}
	for i := range spec.IPFamilies {
		if err := t.claimIP(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// claimIP claims the i-th cluster IP: the one that is there, or else any.
func (t *transaction) claimIP(ctx context.Context, i int) error {
	spec := &t.svc.Spec
	if i >= len(spec.ClusterIPs) {
		spec.ClusterIPs = append(slices.Clone(spec.ClusterIPs), "")
	}
	text := spec.ClusterIPs[i]
	if text != "" {
		ip := netutils.ParseIPSloppy(text)
		if ip == nil {
			return apierrors.NewInternalError(fmt.Errorf("failed to parse service IP %q", text))
		}
		addr, _ := netip.ParseAddr(ip.String())
		if err := t.claim(ctx, addr); err != nil {
			return t.invalid(field.Invalid(field.NewPath("spec", "clusterIPs"), spec.ClusterIPs, fmt.Sprintf("failed to allocate IP %v: %v", text, err)))
		}
		return nil
	}
	ip, err := t.claimAny(ctx, spec.IPFamilies[i])
	if err != nil {
		return apierrors.NewInternalError(fmt.Errorf("failed to allocate a serviceIP: %w", err))
	}
	spec.ClusterIPs[i] = ip.String()
	if i == 0 {
		spec.ClusterIP = ip.String()
	}
	return nil
}

func (t *transaction) claim(ctx context.Context, ip netip.Addr) error {
	if t.dry {
		return t.a.addresses.pretend(ctx, ip)
	}
	uid, err := t.a.addresses.claim(ctx, t.svc, ip)
	if errors.Is(err, errAllocated) {
		// Not one of those to give back if the write fails: a repair will see whose it is.
		return t.a.takeOver(ctx, t.svc, ip)
	}
	t.claimed(ip, uid, err)
	return err
}

func (t *transaction) claimAny(ctx context.Context, family corev1.IPFamily) (netip.Addr, error) {
	if t.dry {
		blocks, err := t.a.addresses.blocks(ctx, family)
		if err != nil || len(blocks) == 0 {
			return netip.Addr{}, errFull
		}
		return blocks[0].prefix.Addr(), nil
	}
	ip, uid, err := t.a.addresses.claimAny(ctx, t.svc, family)
	t.claimed(ip, uid, err)
	return ip, err
}

// claimed notes an address that was claimed, if there is no error.
func (t *transaction) claimed(ip netip.Addr, uid types.UID, err error) {
	if err == nil {
		t.got.ips, t.uids = append(t.got.ips, ip), append(t.uids, uid)
	}
}

// pretend says what claim would, unless the address is taken.
func (a *addresses) pretend(ctx context.Context, ip netip.Addr) error {
	blocks, err := a.blocks(ctx, familyOf(ip))
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if b.has(ip) {
			return nil
		}
	}
	if len(blocks) == 0 {
		return errNoBlock
	}
	return fmt.Errorf("the provided IP (%v) is not in the valid range. The range of valid IPs is %s", ip, blocks[0].prefix)
}

// updateIPs claims addresses where the type or the families changed.
func (t *transaction) updateIPs(ctx context.Context) error {
	svc, old := t.svc, t.old
	const external = corev1.ServiceTypeExternalName
	switch {
	case svc.Spec.Type == external || samePreferred(svc, old):
	case old.Spec.Type == external:
		return t.claimIPs(ctx)
	case len(old.Spec.ClusterIPs) > 0 && old.Spec.ClusterIPs[0] == corev1.ClusterIPNone:
	case len(old.Spec.IPFamilies) == 1 && len(svc.Spec.IPFamilies) == 2:
		return t.claimIP(ctx, 1)
	}
	return nil
}

// newPorts asks for the node ports of a new service. Ports with one number, of two
// protocols, get one node port.
func (t *transaction) newPorts() []portRequest {
	var requests []portRequest
	all := t.svc.Spec.Ports
	shared := map[int32][]int{} // number of a port -> those that get one node port
	wanted := map[int32]int32{}
	for _, p := range all {
		if p.NodePort != 0 && wanted[p.Port] == 0 {
			wanted[p.Port] = p.NodePort
		}
	}
	add := func(i int, want int32, set func(int32)) {
		requests = append(requests, portRequest{want: want, set: set, refused: t.refusedPort(i, want)})
	}
	for i := range all {
		p := &all[i]
		if p.NodePort == 0 && !t.allocatesNodePorts() {
			continue
		}
		with, begun := shared[p.Port]
		switch {
		case !begun:
			shared[p.Port] = []int{i}
			add(i, wanted[p.Port], func(port int32) {
				for _, j := range shared[all[i].Port] {
					all[j].NodePort = port
				}
			})
		case p.NodePort == 0:
			shared[p.Port] = append(with, i)
		case p.NodePort != wanted[p.Port]:
			add(i, p.NodePort, func(int32) {})
		}
	}
	return requests
}

// changedPorts asks for the node ports that a changed service has not.
func (t *transaction) changedPorts() ([]portRequest, error) {
	type key struct {
		protocol corev1.Protocol
		port     int32
	}
	var requests []portRequest
	before := nodePorts(t.old)
	asked, seen := map[int32]bool{}, map[key]bool{}
	for i := range t.svc.Spec.Ports {
		p := &t.svc.Spec.Ports[i]
		switch {
		case p.NodePort == 0 && !t.allocatesNodePorts():
			continue
		case p.NodePort == 0:
			requests = append(requests, portRequest{set: func(port int32) { p.NodePort = port }, refused: t.refusedPort(i, 0)})
			continue
		case !slices.Contains(before, p.NodePort) && !asked[p.NodePort]:
			requests = append(requests, portRequest{want: p.NodePort, set: func(int32) {}, refused: t.refusedPort(i, p.NodePort)})
			asked[p.NodePort] = true
		}
		k := key{p.Protocol, p.NodePort}
		if seen[k] {
			return nil, fmt.Errorf("duplicate nodePort: %v", k)
		}
		seen[k] = true
	}
	return requests, nil
}

func (t *transaction) healthPort() portRequest {
	spec := &t.svc.Spec
	return portRequest{want: spec.HealthCheckNodePort, set: func(port int32) { spec.HealthCheckNodePort = port }, refused: func(err error) error {
		if spec.HealthCheckNodePort != 0 {
			err = fmt.Errorf("failed to allocate requested HealthCheck NodePort %v: %w", spec.HealthCheckNodePort, err)
		} else {
			err = fmt.Errorf("failed to allocate a HealthCheck NodePort %v: %w", 0, err)
		}
		return apierrors.NewInternalError(err)
	}}
}

func (t *transaction) claimPorts(ctx context.Context, requests []portRequest) error {
	if t.dry {
		return t.a.ports.pretend(ctx, requests)
	}
	got, err := t.a.ports.claim(ctx, requests)
	t.got.ports = got
	return err
}

func (t *transaction) allocatesNodePorts() bool {
	return t.svc.Spec.Type == corev1.ServiceTypeNodePort || ptr.Deref(t.svc.Spec.AllocateLoadBalancerNodePorts, true)
}

// refusedPort makes the error for the node port of the i-th port.
func (t *transaction) refusedPort(i int, want int32) func(error) error {
	return func(err error) error {
		if want == 0 {
			return apierrors.NewInternalError(fmt.Errorf("failed to allocate a nodePort: %w", err))
		}
		return t.invalid(field.Invalid(field.NewPath("spec", "ports").Index(i).Child("nodePort"), want, err.Error()))
	}
}

func (t *transaction) invalid(errs ...*field.Error) error { return invalid(t.svc, errs) }

func invalid(svc *corev1.Service, errs field.ErrorList) error {
	return apierrors.NewInvalid(core.Kind("Service"), svc.Name, errs)
}
