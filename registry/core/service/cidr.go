// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"

	"github.com/stoa-project/stoa/apis/networking"
)

// FirstIP is the address of the service by which the server itself is reached.
func (a *Allocator) FirstIP() netip.Addr { return newBlock(a.addresses.ranges[0]).first }

// Warning is what an administrator should know about the default ServiceCIDR. The
// zero value says that all is well.
type Warning struct {
	About           corev1.ObjectReference
	Reason, Message string
}

// EnsureCIDR makes the ServiceCIDR with the ranges of the server, if it is not there,
// and says that it is ready, if it has these ranges and nobody has said anything. One
// that has only the first of two gets the second, which a cluster that becomes dual
// stack needs. Any other one stays as it is: changing it is for an administrator, who
// should know the warning.
func (a *Allocator) EnsureCIDR(ctx context.Context) (Warning, error) {
	var cidrs []string
	for _, r := range a.addresses.ranges {
		cidrs = append(cidrs, r.Masked().String())
	}
	stored := &networking.ServiceCIDR{}
	err := a.addresses.cidrs.GuaranteedUpdate(ctx, a.addresses.cidrPath+"/"+DefaultCIDR, stored, true, nil,
		storage.SimpleUpdate(func(in runtime.Object) (runtime.Object, error) {
			obj := in.(*networking.ServiceCIDR)
			if obj.Name == "" {
				obj.Name, obj.Spec.CIDRs = DefaultCIDR, cidrs
				rest.FillObjectMetaSystemFields(obj)
			}
			if len(cidrs) == 2 && slices.Equal(obj.Spec.CIDRs, cidrs[:1]) {
				obj.Spec.CIDRs = cidrs
			}
			said := readiness(obj)
			if obj.DeletionTimestamp.IsZero() && slices.Equal(obj.Spec.CIDRs, cidrs) && said.Status == metav1.ConditionUnknown {
				meta.SetStatusCondition(&obj.Status.Conditions, metav1.Condition{
					Type: networkingv1.ServiceCIDRConditionReady, Status: metav1.ConditionTrue, Message: "Kubernetes default Service CIDR is ready",
				})
			}
			return obj, nil
		}), nil)
	if err != nil {
		return Warning{}, fmt.Errorf("keep the default service CIDR: %w", err)
	}
	about := corev1.ObjectReference{
		APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "ServiceCIDR", Name: stored.Name, UID: stored.UID,
	}
	switch said := readiness(stored); {
	case !stored.DeletionTimestamp.IsZero():
	case !slices.Equal(stored.Spec.CIDRs, cidrs):
		return Warning{about, "KubernetesDefaultServiceCIDRInconsistent",
			fmt.Sprintf("The default ServiceCIDR %v does not match the controller flag configurations %s", stored.Spec.CIDRs, cidrs)}, nil
	case said.Status == metav1.ConditionFalse:
		return Warning{about, said.Reason, "Configuration matches, but " + said.Message}, nil
	}
	return Warning{}, nil
}

// readiness is what has been said of whether addresses may be taken from a ServiceCIDR.
func readiness(obj *networking.ServiceCIDR) metav1.Condition {
	if said := meta.FindStatusCondition(obj.Status.Conditions, networkingv1.ServiceCIDRConditionReady); said != nil {
		return *said
	}
	return metav1.Condition{Status: metav1.ConditionUnknown}
}
