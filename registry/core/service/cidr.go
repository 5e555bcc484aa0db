// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/networking"
)

// FirstIP is the address of the service by which the server itself is reached.
func (a *Allocator) FirstIP() netip.Addr { return newBlock(a.addresses.ranges[0]).first }

// EnsureCIDR makes the ServiceCIDR with the ranges of the server, if it is not there,
// and says that it is ready, if it has these ranges and nobody has said anything. One
// with other ranges stays as it is, and is told of once: changing them is for an
// administrator.
func (a *Allocator) EnsureCIDR(ctx context.Context) error {
	var cidrs []string
	for _, r := range a.addresses.ranges {
		cidrs = append(cidrs, r.Masked().String())
	}
	key := a.addresses.cidrPath + "/" + DefaultCIDR
	settled := func(obj *networking.ServiceCIDR) bool {
		return !obj.DeletionTimestamp.IsZero() || !slices.Equal(obj.Spec.CIDRs, cidrs) ||
			meta.FindStatusCondition(obj.Status.Conditions, networkingv1.ServiceCIDRConditionReady) != nil
	}
	ready := metav1.Condition{
		Type: networkingv1.ServiceCIDRConditionReady, Status: metav1.ConditionTrue,
		Message: "Kubernetes default Service CIDR is ready", LastTransitionTime: metav1.Now(),
	}
	obj := &networking.ServiceCIDR{}
	if err := a.addresses.cidrs.Get(ctx, key, storage.GetOptions{IgnoreNotFound: true}, obj); err != nil {
		return fmt.Errorf("read the default service CIDR: %w", err)
	}
	if obj.Name == "" {
		obj = &networking.ServiceCIDR{ObjectMeta: metav1.ObjectMeta{Name: DefaultCIDR}}
		obj.Spec.CIDRs = cidrs
		obj.Status.Conditions = []metav1.Condition{ready}
		rest.FillObjectMetaSystemFields(obj)
		if err := a.addresses.cidrs.Create(ctx, key, obj, nil, 0); err != nil && !storage.IsExist(err) {
			return fmt.Errorf("make the default service CIDR: %w", err)
		}
		return nil
	}
	if !slices.Equal(obj.Spec.CIDRs, cidrs) {
		a.mismatch.Do(func() {
			klog.FromContext(ctx).Info("The default ServiceCIDR is not what --service-cluster-ip-range says, and holds: set the flag to match it, or delete it and let the server make it anew",
				"name", DefaultCIDR, "stored", obj.Spec.CIDRs, "flag", cidrs)
		})
	}
	if settled(obj) {
		return nil
	}
	return a.addresses.cidrs.GuaranteedUpdate(ctx, key, &networking.ServiceCIDR{}, false, nil,
		storage.SimpleUpdate(func(in runtime.Object) (runtime.Object, error) {
			if obj := in.(*networking.ServiceCIDR); !settled(obj) {
				meta.SetStatusCondition(&obj.Status.Conditions, ready)
			}
			return in, nil
		}), nil)
}
