// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateServiceClusterIPs judges clusterIP, clusterIPs, ipFamilies and
// ipFamilyPolicy, and that they agree. Allocation asks for it before it begins.
func ValidateServiceClusterIPs(obj, old *corev1.Service) field.ErrorList {
	spec, path := &obj.Spec, field.NewPath("spec")
	if spec.Type == corev1.ServiceTypeExternalName {
		return nil // it may have none of them, which is checked elsewhere
	}
	ips := path.Child("clusterIPs")
	var errs field.ErrorList
	switch {
	case spec.ClusterIP == "" && len(spec.ClusterIPs) > 0:
		errs = append(errs, field.Invalid(ips, spec.ClusterIPs, "must be empty when `clusterIP` is not specified"))
	case spec.ClusterIP != "" && len(spec.ClusterIPs) == 0:
		errs = append(errs, field.Required(ips, ""))
	case spec.ClusterIP != "" && spec.ClusterIPs[0] != spec.ClusterIP:
		errs = append(errs, field.Invalid(ips, spec.ClusterIPs, "first value must match `clusterIP`"))
	}
	for i, family := range spec.IPFamilies {
		errs = append(errs, fielderrors.OneOf(path.Child("ipFamilies").Index(i), family, corev1.IPv4Protocol, corev1.IPv6Protocol)...)
		if slices.Contains(spec.IPFamilies[:i], family) {
			errs = append(errs, field.Duplicate(path.Child("ipFamilies").Index(i), family))
		}
	}
	if spec.IPFamilyPolicy != nil {
		errs = append(errs, fielderrors.OneOf(path.Child("ipFamilyPolicy"), *spec.IPFamilyPolicy,
			corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack, corev1.IPFamilyPolicySingleStack)...)
	}
	invalid := validateClusterIPList(spec.ClusterIPs, ips, old)
	errs = append(errs, invalid...)
	if len(spec.ClusterIPs) > 2 {
		errs = append(errs, field.Invalid(ips, spec.ClusterIPs, "may only hold up to 2 values"))
	}
	if len(invalid) > 0 {
		return errs // what follows reads the addresses
	}
	if len(spec.ClusterIPs) > 1 {
		if dual, err := netutils.IsDualStackIPStrings(spec.ClusterIPs); err != nil || !dual {
			errs = append(errs, field.Invalid(ips, spec.ClusterIPs, "may specify no more than one IP for each IP family"))
		}
	}
	if headless(obj) {
		return errs
	}
	for i, ip := range spec.ClusterIPs[:min(len(spec.ClusterIPs), len(spec.IPFamilies))] {
		want := spec.IPFamilies[i]
		if (want == corev1.IPv4Protocol || want == corev1.IPv6Protocol) && (want == corev1.IPv6Protocol) != netutils.IsIPv6String(ip) {
			errs = append(errs, field.Invalid(ips.Index(i), ip, fmt.Sprintf("expected an %s value as indicated by `ipFamilies[%v]`", want, i)))
		}
	}
	return errs
}

func validateClusterIPList(ips []string, path *field.Path, old *corev1.Service) field.ErrorList {
	var before []string
	if old != nil {
		before = old.Spec.ClusterIPs
	}
	var errs field.ErrorList
	for i, ip := range ips {
		switch {
		case i > 0 || ip != corev1.ClusterIPNone:
			errs = append(errs, IsValidIPForLegacyField(path.Index(i), ip, before)...)
		case len(ips) > 1:
			errs = append(errs, field.Invalid(path, ips, "'None' must be the first and only value"))
		}
	}
	return errs
}

// validateClusterIPsUpdate keeps the first address, and the second unless it is
// given up or added. A change of type from or to ExternalName changes everything.
func validateClusterIPsUpdate(obj, old *corev1.Service) field.ErrorList {
	if withoutIPs(obj, old) || headless(obj) && headless(old) {
		return nil
	}
	path := field.NewPath("spec", "clusterIPs")
	now, before := obj.Spec.ClusterIPs, old.Spec.ClusterIPs
	changed := func(i int) *field.Error { return field.Invalid(path.Index(i), now, notOnceSet) }
	var errs field.ErrorList
	if len(now) == len(before) {
		for i := range before {
			if now[i] != before[i] {
				errs = append(errs, changed(i))
			}
		}
		return errs
	}
	if len(before) > len(now) && len(now) == 0 {
		errs = append(errs, field.Invalid(path.Index(0), now, "primary clusterIP can not be unset"))
	}
	if len(before) > 0 && len(now) > 0 && now[0] != before[0] {
		errs = append(errs, changed(0))
	}
	if len(before) > len(now) && len(now) == 1 {
		errs = append(errs, mustBeSingleStack(obj, "clusterIP")...)
	}
	return errs
}

// validateIPFamiliesUpdate does for families what validateClusterIPsUpdate does for
// addresses. The values in its errors are those of upstream.
func validateIPFamiliesUpdate(obj, old *corev1.Service) field.ErrorList {
	if withoutIPs(obj, old) || headless(obj) || headless(old) {
		return nil
	}
	path := field.NewPath("spec", "ipFamilies").Index(0)
	now, before := obj.Spec.IPFamilies, old.Spec.IPFamilies
	var errs field.ErrorList
	if len(now) == len(before) {
		for i := range before {
			if now[i] != before[i] {
				errs = append(errs, field.Invalid(path, now, notOnceSet))
			}
		}
		return errs
	}
	if len(before) > len(now) && len(obj.Spec.ClusterIPs) == 0 {
		errs = append(errs, field.Invalid(path, now, "primary ipFamily can not be unset"))
	}
	if len(before) > 0 && len(now) > 0 && now[0] != before[0] {
		errs = append(errs, field.Invalid(path, obj.Spec.ClusterIPs, notOnceSet))
	}
	if len(before) > len(now) && len(now) == 1 {
		errs = append(errs, mustBeSingleStack(obj, "ipFamily")...)
	}
	return errs
}

func withoutIPs(obj, old *corev1.Service) bool {
	return obj.Spec.Type == corev1.ServiceTypeExternalName || old.Spec.Type == corev1.ServiceTypeExternalName
}

func mustBeSingleStack(obj *corev1.Service, released string) field.ErrorList {
	if ptr.Deref(obj.Spec.IPFamilyPolicy, "") == corev1.IPFamilyPolicySingleStack {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("spec", "ipFamilyPolicy"), obj.Spec.IPFamilyPolicy,
		"must be set to 'SingleStack' when releasing the secondary "+released)}
}
