// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/networking"
)

const (
	// claimAge is how long a claim may be without its service, which a create makes
	// after it.
	claimAge = time.Minute
	// leakRepairs is how many repairs find a port without its service before it is free.
	leakRepairs = 3
)

// errChanged ends a repair of ports that others changed meanwhile.
var errChanged = errors.New("node ports changed during the repair")

// Repair makes claims agree with services: a service keeps what it has, and what no
// service has becomes free after a while. Every server may do it at any time, but
// one does it once at a time. It reads claims before services, so that one which a
// create has just made is not seen without the other.
func (a *Allocator) Repair(ctx context.Context) error {
	ports := &core.RangeAllocation{}
	if err := a.ports.store.Get(ctx, portsKey, storage.GetOptions{IgnoreNotFound: true}, ports); err != nil {
		return fmt.Errorf("read node ports: %w", err)
	}
	addresses, err := a.addresses.list(ctx)
	if err != nil {
		return err
	}
	services, err := a.listServices(ctx)
	if err != nil {
		return err
	}
	return errors.Join(a.repairPorts(ctx, ports, services), a.repairIPs(ctx, addresses, services))
}

func (a *Allocator) listServices(ctx context.Context) ([]*corev1.Service, error) {
	list := &core.ServiceList{}
	if err := a.services.GetList(ctx, a.servicesPath+"/", storage.ListOptions{Recursive: true, Predicate: storage.Everything}, list); err != nil {
		return nil, fmt.Errorf("read services: %w", err)
	}
	out := make([]*corev1.Service, len(list.Items))
	for i := range list.Items {
		out[i] = (*corev1.Service)(&list.Items[i])
	}
	return out, nil
}

func (a *Allocator) repairIPs(ctx context.Context, claimed *networking.IPAddressList, services []*corev1.Service) error {
	logger := klog.FromContext(ctx)
	byName := map[string]*networking.IPAddress{}
	for i := range claimed.Items {
		byName[claimed.Items[i].Name] = &claimed.Items[i]
	}
	owners := map[netip.Addr][]*corev1.Service{}
	for _, svc := range services {
		for _, ip := range clusterIPs(svc) {
			owners[ip] = append(owners[ip], svc)
		}
	}
	var errs []error
	for ip, all := range owners {
		address := byName[ip.String()]
		if address != nil && slices.ContainsFunc(all, func(svc *corev1.Service) bool { return belongsTo(address, svc) }) && wellLabelled(address, ip) {
			if len(all) > 1 {
				logger.Error(nil, "Several services have one cluster IP, delete and create all but one", "ip", ip, "service", klog.KObj(all[1]))
			}
			continue
		}
		logger.Info("Claimed the cluster IP of a service again", "ip", ip, "service", klog.KObj(all[0]))
		if address != nil {
			errs = append(errs, a.addresses.remove(ctx, address))
		}
		if _, err := a.addresses.create(ctx, all[0], ip); err != nil && !errors.Is(err, errAllocated) {
			errs = append(errs, fmt.Errorf("claim %s: %w", ip, err))
		}
	}
	left := map[netip.Addr]bool{}
	for ip := range owners {
		left[ip] = true
	}
	for _, address := range byName {
		ip, err := netip.ParseAddr(address.Name)
		used := err == nil && len(owners[ip]) > 0
		if used || address.Labels[networkingv1.LabelManagedBy] != managedBy || time.Since(address.CreationTimestamp.Time) < claimAge {
			left[ip] = true
			continue
		}
		logger.Info("Freed a cluster IP that no service has", "ip", address.Name)
		errs = append(errs, a.addresses.remove(ctx, address))
	}
	for _, family := range a.families {
		blocks, err := a.addresses.blocks(ctx, family)
		errs = append(errs, err)
		for _, b := range blocks {
			measured().setIPs(b, left)
		}
	}
	return errors.Join(errs...)
}

func wellLabelled(address *networking.IPAddress, ip netip.Addr) bool {
	want := newIPAddress(&corev1.Service{}, ip).Labels
	return want[networkingv1.LabelIPAddressFamily] == address.Labels[networkingv1.LabelIPAddressFamily] &&
		want[networkingv1.LabelManagedBy] == address.Labels[networkingv1.LabelManagedBy]
}

// remove deletes an address unless it changed.
func (a *addresses) remove(ctx context.Context, address *networking.IPAddress) error {
	only := &storage.Preconditions{UID: &address.UID, ResourceVersion: &address.ResourceVersion}
	anything := func(context.Context, runtime.Object) error { return nil }
	err := a.ips.Delete(ctx, a.key(address.Name), &networking.IPAddress{}, only, anything, nil, storage.DeleteOptions{})
	if storage.IsNotFound(err) || storage.IsInvalidObj(err) {
		return nil
	}
	return err
}

// repairPorts writes which ports are taken anew. A port that no service has stays
// taken for a few repairs, as a create may be about to write its service.
func (a *Allocator) repairPorts(ctx context.Context, before *core.RangeAllocation, services []*corev1.Service) error {
	used := map[int32]*corev1.Service{}
	for _, svc := range services {
		ports := nodePorts(svc)
		if port := svc.Spec.HealthCheckNodePort; port != 0 {
			ports = append(ports, port)
		}
		for _, port := range ports {
			if other := used[port]; other != nil && other != svc {
				klog.FromContext(ctx).Error(nil, "Several services have one node port, delete and create all but one", "port", port, "service", klog.KObj(svc), "other", klog.KObj(other))
			}
			used[port] = svc
		}
	}
	leaks := map[int32]int{}
	for _, port := range a.ports.bitmap(before).ports() {
		if used[port] == nil && a.leaks[port] < leakRepairs {
			leaks[port] = a.leaks[port] + 1
		}
	}
	err := a.ports.change(ctx, func(taken *bitmap) error {
		if taken.version != before.ResourceVersion {
			return errChanged
		}
		taken.bits = new(big.Int)
		for _, port := range slices.Concat(slices.Collect(maps.Keys(used)), slices.Collect(maps.Keys(leaks))) {
			taken.set(port)
		}
		return nil
	})
	if errors.Is(err, errChanged) {
		return nil // the next repair will see
	}
	a.leaks = leaks
	return err
}
