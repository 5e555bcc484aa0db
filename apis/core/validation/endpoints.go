// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateEndpoints judges new endpoints.
func ValidateEndpoints(obj *corev1.Endpoints) field.ErrorList { return validateEndpoints(obj, nil) }

// ValidateEndpointsUpdate judges changed endpoints. Subsets that stay as they are
// may hold addresses in forms that are not allowed any more.
func ValidateEndpointsUpdate(obj, old *corev1.Endpoints) field.ErrorList {
	return validateEndpoints(obj, old.Subsets)
}

func validateEndpoints(obj *corev1.Endpoints, old []corev1.EndpointSubset) field.ErrorList {
	var errs field.ErrorList
	for i := range obj.Subsets {
		s, path := &obj.Subsets[i], field.NewPath("subsets").Index(i)
		if len(s.Addresses) == 0 && len(s.NotReadyAddresses) == 0 {
			errs = append(errs, field.Required(path, "must specify `addresses` or `notReadyAddresses`"))
		}
		var before []string
		if slices.ContainsFunc(old, func(o corev1.EndpointSubset) bool { return apiequality.Semantic.DeepEqual(o, *s) }) {
			for _, a := range slices.Concat(s.Addresses, s.NotReadyAddresses) {
				before = append(before, a.IP)
			}
		}
		for j := range s.Addresses {
			errs = append(errs, validateEndpointAddress(&s.Addresses[j], path.Child("addresses").Index(j), before)...)
		}
		for j := range s.NotReadyAddresses {
			errs = append(errs, validateEndpointAddress(&s.NotReadyAddresses[j], path.Child("notReadyAddresses").Index(j), before)...)
		}
		for j := range s.Ports {
			errs = append(errs, validateEndpointPort(&s.Ports[j], len(s.Ports) > 1, path.Child("ports").Index(j))...)
		}
	}
	return errs
}

func validateEndpointAddress(a *corev1.EndpointAddress, path *field.Path, before []string) field.ErrorList {
	errs := IsValidIPForLegacyField(path.Child("ip"), a.IP, before)
	if a.Hostname != "" {
		errs = append(errs, dnsLabel(a.Hostname, path.Child("hostname"))...)
	}
	if a.NodeName != nil {
		errs = append(errs, fielderrors.Each(path.Child("nodeName"), *a.NodeName, apivalidation.NameIsDNSSubdomain(*a.NodeName, false))...)
	}
	return append(errs, ValidateEndpointIP(a.IP, path.Child("ip"))...)
}

func validateEndpointPort(p *corev1.EndpointPort, named bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case p.Name != "":
		errs = dnsLabel(p.Name, path.Child("name"))
	case named:
		errs = append(errs, field.Required(path.Child("name"), ""))
	}
	errs = append(errs, fielderrors.Each(path.Child("port"), p.Port, validation.IsValidPortNum(int(p.Port)))...)
	errs = append(errs, fielderrors.RequireOneOf(path.Child("protocol"), p.Protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)...)
	if p.AppProtocol != nil {
		errs = append(errs, qualifiedName(*p.AppProtocol, path.Child("appProtocol"))...)
	}
	return errs
}

// WarningsOnEndpoints says which addresses should be written in another way.
func WarningsOnEndpoints(obj *corev1.Endpoints) []string {
	var warnings []string
	for i, s := range obj.Subsets {
		path := field.NewPath("subsets").Index(i)
		for j, a := range s.Addresses {
			warnings = append(warnings, validation.GetWarningsForIP(path.Child("addresses").Index(j).Child("ip"), a.IP)...)
		}
		for j, a := range s.NotReadyAddresses {
			warnings = append(warnings, validation.GetWarningsForIP(path.Child("notReadyAddresses").Index(j).Child("ip"), a.IP)...)
		}
	}
	return warnings
}
