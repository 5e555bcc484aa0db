// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateIPAddressName demands an address in its canonical form.
func ValidateIPAddressName(name string, _ bool) []string {
	var texts []string
	for _, err := range validation.IsValidIP(&field.Path{}, name) {
		texts = append(texts, err.Detail)
	}
	return texts
}

// ValidateIPAddress judges a new address.
func ValidateIPAddress(obj *networkingv1.IPAddress) field.ErrorList {
	path, ref := field.NewPath("spec", "parentRef"), obj.Spec.ParentRef
	if ref == nil {
		return field.ErrorList{required(path)}
	}
	var errs field.ErrorList
	if ref.Group != "" { // that of services is empty
		errs = fielderrors.Each(path.Child("group"), ref.Group, validation.IsDNS1123Subdomain(ref.Group))
	}
	errs = append(errs, requireSegment(ref.Resource, path.Child("resource"))...)
	errs = append(errs, requireSegment(ref.Name, path.Child("name"))...)
	if ref.Namespace != "" {
		errs = append(errs, fielderrors.Each(path.Child("namespace"), ref.Namespace, content.IsPathSegmentName(ref.Namespace))...)
	}
	return errs
}

// ValidateIPAddressUpdate judges a changed address.
func ValidateIPAddressUpdate(obj, old *networkingv1.IPAddress) field.ErrorList {
	errs := apivalidation.ValidateImmutableField(obj.Spec.ParentRef, old.Spec.ParentRef, field.NewPath("spec", "parentRef")).
		WithOrigin("immutable").MarkCoveredByDeclarative().MarkBeta()
	return append(errs, ValidateIPAddress(obj)...)
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
