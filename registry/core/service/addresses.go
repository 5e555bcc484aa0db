// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"

	"github.com/stoa-project/stoa/apis/networking"
)

const (
	// managedBy marks the addresses that belong to services. The name is upstream's.
	managedBy = "ipallocator.k8s.io"
	// DefaultCIDR is the name of the ServiceCIDR with the ranges of the flags.
	DefaultCIDR = "kubernetes"
	// blindTries is how many addresses are tried before the taken ones are read. In a
	// block that is half full, one search in 256 comes that far.
	blindTries = 8
)

var (
	errFull      = errors.New("range is full")
	errAllocated = errors.New("provided IP is already allocated")
	errNoBlock   = errors.New("the provided network does not match the current range")
)

// addresses hands out cluster IPs. An address is taken while there is an IPAddress
// of its name.
type addresses struct {
	ips, cidrs         storage.Interface
	ipPrefix, cidrPath string
	// ranges are those of the flags. They hold while nobody has made an object of them.
	ranges []netip.Prefix
}

func (a *addresses) key(name string) string { return path.Join(a.ipPrefix, name) }

// blocks returns the ranges that are in use for a family, in random order.
func (a *addresses) blocks(ctx context.Context, family corev1.IPFamily) ([]block, error) {
	list := &networking.ServiceCIDRList{}
	if err := a.cidrs.GetList(ctx, a.cidrPath+"/", storage.ListOptions{Recursive: true, Predicate: storage.Everything}, list); err != nil {
		return nil, fmt.Errorf("read service CIDRs: %w", err)
	}
	found := map[netip.Prefix]bool{}
	hasDefault := false
	for i := range list.Items {
		cidr := &list.Items[i]
		hasDefault = hasDefault || cidr.Name == DefaultCIDR
		ready := meta.FindStatusCondition(cidr.Status.Conditions, networkingv1.ServiceCIDRConditionReady)
		if !cidr.DeletionTimestamp.IsZero() || ready != nil && ready.Status != metav1.ConditionTrue {
			continue
		}
		for _, text := range cidr.Spec.CIDRs {
			if prefix, err := netip.ParsePrefix(text); err == nil {
				found[prefix.Masked()] = true
			}
		}
	}
	if !hasDefault {
		for _, prefix := range a.ranges {
			found[prefix.Masked()] = true
		}
	}
	var blocks []block
	for prefix := range found {
		if b := newBlock(prefix); b.family() == family && b.size > 0 {
			blocks = append(blocks, b)
		}
	}
	rand.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] }) //nolint:gosec // no secret
	return blocks, nil
}

// claim takes one address for a service. It returns the UID of the claim.
func (a *addresses) claim(ctx context.Context, svc *corev1.Service, ip netip.Addr) (types.UID, error) {
	blocks, err := a.blocks(ctx, familyOf(ip))
	if err != nil {
		return "", err
	}
	for _, b := range blocks {
		if b.has(ip) {
			start := time.Now()
			uid, err := a.create(ctx, svc, ip)
			measured().claimIP(b, chosen, start, err)
			return uid, err
		}
	}
	return "", errNoBlock
}

// claimAny takes any free address of a family for a service.
func (a *addresses) claimAny(ctx context.Context, svc *corev1.Service, family corev1.IPFamily) (netip.Addr, types.UID, error) {
	blocks, err := a.blocks(ctx, family)
	if err != nil {
		return netip.Addr{}, "", err
	}
	s := search{addresses: a, svc: svc, taken: map[netip.Addr]bool{}}
	for _, b := range blocks {
		start := time.Now()
		ip, err := s.claimIn(ctx, b)
		measured().claimIP(b, free, start, err)
		if !errors.Is(err, errFull) {
			return ip, s.uid, err
		}
	}
	return netip.Addr{}, "", errFull
}

// search looks for one free address.
type search struct {
	*addresses
	svc *corev1.Service
	// taken are addresses that cannot be had: those that were tried, and all when they
	// have been read.
	taken map[netip.Addr]bool
	read  bool
	// uid is that of the claim.
	uid types.UID
}

// claimIn takes a free address of a block.
func (s *search) claimIn(ctx context.Context, b block) (netip.Addr, error) {
	for _, part := range b.bands() {
		if ip, err := s.claimInPart(ctx, b, part); !errors.Is(err, errFull) {
			return ip, err
		}
	}
	return netip.Addr{}, errFull
}

// claimInPart takes a free address of a part of a block: one of a few at random, or
// else one that is not among those taken.
func (s *search) claimInPart(ctx context.Context, b block, part band) (netip.Addr, error) {
	got, err := netip.Addr{}, errFull
	b.each(part, func(ip netip.Addr) bool {
		if !s.read && len(s.taken) == blindTries {
			if readErr := s.readTaken(ctx); readErr != nil {
				err = readErr
				return true
			}
		}
		if s.taken[ip] {
			return false
		}
		switch uid, createErr := s.create(ctx, s.svc, ip); {
		case createErr == nil:
			got, s.uid, err = ip, uid, nil
		case errors.Is(createErr, errAllocated):
			s.taken[ip] = true
			return false
		default:
			err = createErr
		}
		return true
	})
	return got, err
}

// readTaken reads which addresses are taken. Those that others take later are found
// when they are tried.
func (s *search) readTaken(ctx context.Context) error {
	list, err := s.list(ctx)
	if err != nil {
		return err
	}
	for i := range list.Items {
		if ip, err := netip.ParseAddr(list.Items[i].Name); err == nil {
			s.taken[ip] = true
		}
	}
	s.read = true
	return nil
}

func (a *addresses) list(ctx context.Context) (*networking.IPAddressList, error) {
	list := &networking.IPAddressList{}
	if err := a.ips.GetList(ctx, a.ipPrefix+"/", storage.ListOptions{Recursive: true, Predicate: storage.Everything}, list); err != nil {
		return nil, fmt.Errorf("read IP addresses: %w", err)
	}
	return list, nil
}

func (a *addresses) create(ctx context.Context, svc *corev1.Service, ip netip.Addr) (types.UID, error) {
	obj := newIPAddress(svc, ip)
	err := a.ips.Create(ctx, a.key(obj.Name), obj, &networking.IPAddress{}, 0)
	if storage.IsExist(err) {
		err = errAllocated
	}
	return obj.UID, err
}

// newIPAddress is what the address of a service looks like.
func newIPAddress(svc *corev1.Service, ip netip.Addr) *networking.IPAddress {
	obj := &networking.IPAddress{
		ObjectMeta: metav1.ObjectMeta{
			Name: ip.String(),
			Labels: map[string]string{
				networkingv1.LabelIPAddressFamily: string(familyOf(ip)),
				networkingv1.LabelManagedBy:       managedBy,
			},
		},
		Spec: networkingv1.IPAddressSpec{ParentRef: &networkingv1.ParentReference{
			Resource: "services", Namespace: svc.Namespace, Name: svc.Name,
		}},
	}
	rest.FillObjectMetaSystemFields(obj)
	return obj
}

// errNotOwn stops the release of an address that belongs to something else.
var errNotOwn = errors.New("the address belongs to something else")

// release gives an address back, if it is as own says. It returns whether it did.
func (a *addresses) release(ctx context.Context, ip netip.Addr, own func(*networking.IPAddress) bool) (bool, error) {
	check := func(_ context.Context, obj runtime.Object) error {
		if !own(obj.(*networking.IPAddress)) {
			return errNotOwn
		}
		return nil
	}
	err := a.ips.Delete(ctx, a.key(ip.String()), &networking.IPAddress{}, nil, check, nil, storage.DeleteOptions{})
	switch {
	case storage.IsNotFound(err) || errors.Is(err, errNotOwn):
		return false, nil
	case err != nil:
		return false, err
	}
	blocks, err := a.blocks(ctx, familyOf(ip))
	for _, b := range blocks {
		if b.has(ip) {
			measured().addIPs(b, -1)
		}
	}
	return true, err
}

func belongsTo(address *networking.IPAddress, svc *corev1.Service) bool {
	ref := address.Spec.ParentRef
	return ref != nil && ref.Group == "" && ref.Resource == "services" && ref.Namespace == svc.Namespace && ref.Name == svc.Name
}
