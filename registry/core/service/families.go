// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/core/validation"
)

const (
	single  = corev1.IPFamilyPolicySingleStack
	prefer  = corev1.IPFamilyPolicyPreferDualStack
	require = corev1.IPFamilyPolicyRequireDualStack
)

// chooseFamilies fills in ipFamilyPolicy and ipFamilies from each other, from the
// addresses and from what the cluster has; old is nil on create.
func (a *Allocator) chooseFamilies(svc, old *corev1.Service) error {
	spec := &svc.Spec
	if !needsClusterIP(svc) || old != nil && samePreferred(svc, old) {
		return nil
	}
	withoutSelector := spec.ClusterIP == corev1.ClusterIPNone && len(spec.Selector) == 0
	if spec.IPFamilyPolicy == nil {
		switch {
		case old != nil && old.Spec.IPFamilyPolicy != nil:
			spec.IPFamilyPolicy = new(*old.Spec.IPFamilyPolicy)
		case withoutSelector:
			spec.IPFamilyPolicy = new(require)
		default:
			spec.IPFamilyPolicy = new(single)
		}
	}
	// What follows relies on it.
	if errs := validation.ValidateServiceClusterIPs(svc, old); len(errs) > 0 {
		return invalid(svc, errs)
	}
	errs := shrink(svc, old)
	errs = append(errs, refuseTwo(svc)...)
	errs = append(errs, a.familiesOfIPs(svc)...)
	if len(errs) > 0 {
		return invalid(svc, errs)
	}
	if withoutSelector {
		a.fillFamilies(svc, true)
		return nil
	}
	if *spec.IPFamilyPolicy == require && len(a.families) < 2 {
		errs = append(errs, field.Invalid(field.NewPath("spec", "ipFamilyPolicy"), spec.IPFamilyPolicy,
			"this cluster is not configured for dual-stack services"))
	}
	for i, family := range spec.IPFamilies {
		if !slices.Contains(a.families, family) {
			errs = append(errs, field.Invalid(field.NewPath("spec", "ipFamilies").Index(i), family, "not configured on this cluster"))
		}
	}
	if len(errs) > 0 {
		return invalid(svc, errs)
	}
	a.fillFamilies(svc, len(a.families) == 2)
	return nil
}

// fillFamilies completes the list. Endpoints that somebody writes by hand, for a
// service without a selector, may be of any family, whatever the cluster has.
func (a *Allocator) fillFamilies(svc *corev1.Service, dual bool) {
	spec := &svc.Spec
	if len(spec.IPFamilies) == 0 {
		spec.IPFamilies = []corev1.IPFamily{a.families[0]}
	}
	if *spec.IPFamilyPolicy != single && len(spec.IPFamilies) == 1 && dual {
		spec.IPFamilies = []corev1.IPFamily{spec.IPFamilies[0], otherFamily(spec.IPFamilies[0])}
	}
}

// shrink gives up the second address and family of a service that is to have one,
// and refuses that one goes where the policy does not say so.
func shrink(svc, old *corev1.Service) field.ErrorList {
	if old == nil {
		return nil
	}
	spec := &svc.Spec
	if *spec.IPFamilyPolicy == single {
		if sameIPs(svc, old) && len(spec.ClusterIPs) > 1 {
			spec.ClusterIPs = spec.ClusterIPs[:1]
		}
		if sameFamilies(svc, old) && len(spec.IPFamilies) > 1 {
			spec.IPFamilies = spec.IPFamilies[:1]
		}
		return nil
	}
	var errs field.ErrorList
	fewer := func(now, before int, what string) {
		if now > 0 && now < before {
			errs = append(errs, field.Invalid(field.NewPath("spec", "ipFamilyPolicy"), spec.IPFamilyPolicy,
				"must be 'SingleStack' to release the secondary "+what))
		}
	}
	fewer(len(spec.ClusterIPs), len(old.Spec.ClusterIPs), "cluster IP")
	fewer(len(spec.IPFamilies), len(old.Spec.IPFamilies), "IP family")
	return errs
}

// refuseTwo refuses two of anything for a service that is to have one.
func refuseTwo(svc *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	spec := &svc.Spec
	if *spec.IPFamilyPolicy != single {
		return nil
	}
	for _, two := range []struct {
		is   bool
		what string
	}{{len(spec.ClusterIPs) == 2, "cluster IPs"}, {len(spec.IPFamilies) == 2, "IP families"}} {
		if two.is {
			errs = append(errs, field.Invalid(field.NewPath("spec", "ipFamilyPolicy"), spec.IPFamilyPolicy,
				fmt.Sprintf("must be 'RequireDualStack' or 'PreferDualStack' when multiple %s are specified", two.what)))
		}
	}
	return errs
}

// familiesOfIPs adds the families of the addresses that a user chose.
func (a *Allocator) familiesOfIPs(svc *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	spec := &svc.Spec
	for i, ip := range clusterIPs(svc) {
		if i < len(spec.IPFamilies) {
			continue
		}
		if family := familyOf(ip); !slices.Contains(a.families, family) {
			errs = append(errs, field.Invalid(field.NewPath("spec", "clusterIPs").Index(i), spec.ClusterIPs,
				fmt.Sprintf("%s is not configured on this cluster", family)))
		} else {
			spec.IPFamilies = append(slices.Clone(spec.IPFamilies), family)
		}
	}
	return errs
}

// samePreferred says that a service which takes what families there are stays as it
// is. It is not changed when the cluster gets or loses a family.
func samePreferred(svc, old *corev1.Service) bool {
	if svc.Spec.IPFamilyPolicy == nil || *svc.Spec.IPFamilyPolicy != prefer || svc.Spec.Type != old.Spec.Type {
		return false
	}
	switch svc.Spec.Type {
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer:
	default:
		return false
	}
	return ptr.Deref(old.Spec.IPFamilyPolicy, prefer) == prefer && sameIPs(svc, old) && sameFamilies(svc, old)
}
