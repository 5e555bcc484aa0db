// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/util/dryrun"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/networking"
	"github.com/stoa-project/stoa/registry/kind"
)

// releaseTimeout bounds how long giving back what a request claimed may take, which
// goes on when the request has ended.
const releaseTimeout = 10 * time.Second

// Config is what an Allocator works with.
type Config struct {
	// Options say where objects are stored. The stores must have no watch cache.
	Options generic.RESTOptionsGetter
	// Ranges are the blocks of cluster IPs that the server brings: one, or one of each
	// family. The first is that of services that do not ask for a family.
	Ranges []netip.Prefix
	// NodePorts are the ports that services can have on nodes.
	NodePorts utilnet.PortRange
	// DeleteEndpoints deletes the endpoints of a service that is gone. Unset: they stay.
	DeleteEndpoints func(ctx context.Context, namespace, name string) error
}

// Allocator gives services what the cluster has for them.
type Allocator struct {
	addresses       *addresses
	ports           *ports
	families        []corev1.IPFamily
	deleteEndpoints func(ctx context.Context, namespace, name string) error
	services        storage.Interface
	servicesPath    string
	// ordered says that services and addresses are in one etcd, whose revisions say
	// which of two was written first.
	ordered bool
	leaks   map[int32]int // of the repair of ports, see repairPorts
}

// New returns an allocator.
func New(c Config) (*Allocator, error) {
	if len(c.Ranges) == 0 {
		return nil, errors.New("there is no range of cluster IPs")
	}
	a := &Allocator{
		addresses: &addresses{ranges: c.Ranges}, ports: &ports{all: c.NodePorts},
		deleteEndpoints: c.DeleteEndpoints, leaks: map[int32]int{},
	}
	for _, r := range c.Ranges {
		a.families = append(a.families, familyOf(r.Addr()))
	}
	var err error
	open := func(resource string, example, list runtime.Object, prefix string) (storage.Interface, string) {
		store, at, openErr := Store(c.Options, resource, example, list, prefix)
		err = errors.Join(err, openErr)
		return store, at
	}
	const group = ".networking.k8s.io"
	a.addresses.ips, a.addresses.ipPrefix = open("ipaddresses"+group, &networking.IPAddress{}, &networking.IPAddressList{}, "")
	a.addresses.cidrs, a.addresses.cidrPath = open("servicecidrs"+group, &networking.ServiceCIDR{}, &networking.ServiceCIDRList{}, "")
	a.ports.store, _ = open("servicenodeportallocations", &core.RangeAllocation{}, &core.RangeAllocation{}, portsPrefix)
	a.services, a.servicesPath = open("services", &core.Service{}, &core.ServiceList{}, "")
	if err != nil {
		return nil, err
	}
	measured() // registers them
	a.ordered, err = sameEtcd(c.Options, "services", "ipaddresses"+group)
	return a, err
}

// sameEtcd says whether two resources are stored in the same etcd.
func sameEtcd(options generic.RESTOptionsGetter, one, other string) (bool, error) {
	first, err := options.GetRESTOptions(parseResource(one), &core.Service{})
	if err != nil {
		return false, err
	}
	second, err := options.GetRESTOptions(parseResource(other), &networking.IPAddress{})
	if err != nil {
		return false, err
	}
	return slices.Equal(first.StorageConfig.Transport.ServerList, second.StorageConfig.Transport.ServerList), nil
}

// Attach makes the store of services claim and give back. Subresources share the hooks
// for services that are read or gone; they change nothing that is claimed.
func (a *Allocator) Attach(store *kind.REST) {
	store.Begin = a.begin
	store.BeginCreate = func(ctx context.Context, obj runtime.Object, options *metav1.CreateOptions) (genericregistry.FinishFunc, error) {
		return a.try(ctx, &transaction{svc: serviceOf(obj), dry: dryrun.IsDryRun(options.DryRun)})
	}
	store.BeginUpdate = func(ctx context.Context, obj, old runtime.Object, options *metav1.UpdateOptions) (genericregistry.FinishFunc, error) {
		return a.try(ctx, &transaction{svc: serviceOf(obj), old: serviceOf(old), dry: dryrun.IsDryRun(options.DryRun)})
	}
	store.AfterDelete = func(obj runtime.Object, options *metav1.DeleteOptions) { a.afterDelete(serviceOf(obj), options) }
	store.Decorator = a.complete
}

// afterDelete gives back all that a service has.
func (a *Allocator) afterDelete(svc *corev1.Service, options *metav1.DeleteOptions) {
	if dryrun.IsDryRun(options.DryRun) {
		return
	}
	ctx := context.Background() //nolint:forbidigo // the hook of the store has none
	if a.deleteEndpoints != nil {
		if err := a.deleteEndpoints(ctx, svc.Namespace, svc.Name); err != nil {
			klog.FromContext(ctx).Error(err, "Could not delete the endpoints of a deleted service", "service", klog.KObj(svc))
		}
	}
	a.giveBack(ctx, svc, heldBy(svc), a.claimedBefore(svc))
}

// Store opens the store of a resource, written "services" or "ipaddresses.group".
// The path of its keys is that of its kind unless prefix is set.
func Store(options generic.RESTOptionsGetter, resource string, example, list runtime.Object, prefix string) (storage.Interface, string, error) {
	opts, err := options.GetRESTOptions(parseResource(resource), example)
	if err != nil {
		return nil, "", err
	}
	if prefix == "" {
		prefix = path.Join("/", opts.ResourcePrefix)
	}
	key := func(runtime.Object) (string, error) { return "", errors.New("a store without a cache needs no keys") }
	store, _, err := opts.Decorator(opts.StorageConfig, prefix, key,
		func() runtime.Object { return example.DeepCopyObject() }, func() runtime.Object { return list.DeepCopyObject() },
		storage.DefaultNamespaceScopedAttr, nil, nil)
	if err != nil {
		return nil, "", fmt.Errorf("store of %s: %w", resource, err)
	}
	return store, prefix, nil
}

// stored reads a service by the name of another; an empty one if there is none.
func (a *Allocator) stored(ctx context.Context, svc *corev1.Service) (*corev1.Service, error) {
	out := &core.Service{}
	key, err := genericregistry.NamespaceKeyFunc(genericapirequest.WithNamespace(ctx, svc.Namespace), a.servicesPath, svc.Name)
	if err != nil {
		return serviceOf(out), nil //nolint:nilerr // nothing can have that name
	}
	err = a.services.Get(ctx, key, storage.GetOptions{IgnoreNotFound: true}, out)
	return serviceOf(out), err
}

// claimedBefore says of an address whether it was claimed for a service before that
// became what it is. A claim may be newer: of a service of the same name, made after
// this one was deleted.
func (a *Allocator) claimedBefore(svc *corev1.Service) func(*networking.IPAddress) bool {
	return func(address *networking.IPAddress) bool {
		if !belongsTo(address, svc) {
			return false
		}
		order, err := resourceversion.CompareResourceVersion(address.ResourceVersion, svc.ResourceVersion)
		return !a.ordered || err != nil || order <= 0
	}
}

// takeOver claims an address that has been claimed for the service, if the stored
// service has it not. A process that died between a claim and its service leaves that,
// but so does a request that has yet to write. The latter finds that the address is
// not the one that it claimed, and does not give it back.
func (a *Allocator) takeOver(ctx context.Context, svc *corev1.Service, ip netip.Addr) error {
	if !a.ordered { // see claimedBefore
		return errAllocated
	}
	mine := newIPAddress(svc, ip)
	return a.addresses.ips.GuaranteedUpdate(ctx, a.addresses.key(mine.Name), &networking.IPAddress{}, true, nil,
		storage.SimpleUpdate(func(obj runtime.Object) (runtime.Object, error) {
			if address := obj.(*networking.IPAddress); address.Name != "" && !belongsTo(address, svc) {
				return nil, errAllocated
			}
			stored, err := a.stored(ctx, svc)
			if err == nil && slices.Contains(heldBy(stored).ips, ip) {
				err = errAllocated
			}
			return mine, err
		}), nil)
}

// giveBack makes free what a service has no use for, of the addresses those that are
// its own. Ports do not say whose they are: if none of the addresses is the service's
// own, then another request has given all back, and the ports may be another service's.
// The store tells of one delete twice if two requests take the last finalizer away.
// It goes on when a request has ended.
func (a *Allocator) giveBack(ctx context.Context, svc *corev1.Service, unused holdings, own func(*networking.IPAddress) bool) {
	if unused.none() {
		return
	}
	logger := klog.FromContext(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	var err error
	first := len(unused.ips) == 0
	for _, ip := range unused.ips {
		released, releaseErr := a.addresses.release(ctx, ip, own)
		first, err = first || released, errors.Join(err, releaseErr)
	}
	if first {
		err = errors.Join(err, a.ports.release(ctx, unused.ports))
	}
	if err != nil { // a repair will
		logger.Error(err, "Could not give back what a service had", "service", klog.KObj(svc), "ips", unused.ips, "ports", unused.ports)
	}
}
