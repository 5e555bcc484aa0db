// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	networkingv1 "k8s.io/api/networking/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
	"k8s.io/utils/ptr"
)

// ValidateIPAddressName demands an address in its canonical form.
func ValidateIPAddressName(name string, _ bool) []string {
	var texts []string
	for _, err := range validation.IsValidIP(&field.Path{}, name) {
		texts = append(texts, err.Detail)
	}
	return texts
}

// ValidateIPAddress judges a new address, of which tags require most.
func ValidateIPAddress(obj *networkingv1.IPAddress) field.ErrorList {
	path := field.NewPath("spec", "parentRef")
	ref := ptr.Deref(obj.Spec.ParentRef, networkingv1.ParentReference{})
	var errs field.ErrorList
	if ref.Group != "" { // that of services is empty
		errs = invalidEach(path.Child("group"), ref.Group, validation.IsDNS1123Subdomain(ref.Group))
	}
	errs = append(errs, validateSegment(ref.Resource, path.Child("resource"))...)
	errs = append(errs, validateSegment(ref.Name, path.Child("name"))...)
	return append(errs, validateSegment(ref.Namespace, path.Child("namespace"))...)
}

// ValidateServiceCIDR judges new ranges for cluster IPs.
func ValidateServiceCIDR(obj *networkingv1.ServiceCIDR) field.ErrorList {
	path, cidrs := field.NewPath("spec", "cidrs"), obj.Spec.CIDRs
	switch {
	case len(cidrs) == 0:
		return field.ErrorList{field.Required(path, "at least one CIDR required")}
	case len(cidrs) > 2:
		return field.ErrorList{field.Invalid(path, obj.Spec, "may only hold up to 2 values")}
	}
	var errs field.ErrorList
	for i, cidr := range cidrs {
		errs = append(errs, validation.IsValidCIDR(path.Index(i), cidr)...)
	}
	if len(cidrs) == 2 && sameFamily(cidrs) {
		errs = append(errs, field.Invalid(path, cidrs, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"))
	}
	return errs
}

// ValidateServiceCIDRUpdate lets nothing change, but for a second family to come.
func ValidateServiceCIDRUpdate(obj, old *networkingv1.ServiceCIDR) field.ErrorList {
	path, cidrs, before := field.NewPath("spec", "cidrs"), obj.Spec.CIDRs, old.Spec.CIDRs
	added := len(before) == 1 && len(cidrs) == 2
	if len(cidrs) != len(before) && !added {
		return field.ErrorList{field.Invalid(path, cidrs, apivalidation.FieldImmutableErrorMsg)}
	}
	var errs field.ErrorList
	for i := range before {
		if cidrs[i] != before[i] {
			errs = append(errs, field.Invalid(path.Index(i), cidrs[i], apivalidation.FieldImmutableErrorMsg))
		}
	}
	if added {
		errs = append(errs, ValidateServiceCIDR(obj)...)
	}
	return errs
}

func sameFamily(cidrs []string) bool {
	family := netutils.IPFamilyOfCIDRString(cidrs[0])
	return family != netutils.IPFamilyUnknown && family == netutils.IPFamilyOfCIDRString(cidrs[1])
}
