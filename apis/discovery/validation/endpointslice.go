// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

const (
	maxEndpoints = 1000
	maxAddresses = 100
	maxPorts     = 20000
	maxHints     = 8
	maxTopology  = 16
)

// ValidateEndpointSlice judges a new slice.
func ValidateEndpointSlice(obj *discoveryv1.EndpointSlice) field.ErrorList { return validate(obj, nil) }

// ValidateEndpointSliceUpdate judges a changed slice. Endpoints that stay as they
// are may have addresses in forms that are not allowed any more.
func ValidateEndpointSliceUpdate(obj, old *discoveryv1.EndpointSlice) field.ErrorList {
	errs := apivalidation.ValidateImmutableField(obj.AddressType, old.AddressType, field.NewPath("addressType")).
		WithOrigin("immutable").MarkCoveredByDeclarative().MarkBeta()
	all := validate(obj, old.Endpoints)
	if obj.AddressType != old.AddressType {
		// The tag that finds the change stops the one that knows the types.
		for _, err := range all {
			err.CoveredByDeclarative = err.CoveredByDeclarative && err.Type != field.ErrorTypeNotSupported
		}
	}
	return append(all, errs...)
}

func validate(obj *discoveryv1.EndpointSlice, old []discoveryv1.Endpoint) field.ErrorList {
	errs := validateAddressType(obj.AddressType, field.NewPath("addressType"))
	path := field.NewPath("endpoints")
	if len(obj.Endpoints) > maxEndpoints {
		errs = append(errs, field.TooMany(path, len(obj.Endpoints), maxEndpoints))
	} else {
		for i := range obj.Endpoints {
			e := &obj.Endpoints[i]
			var before []string
			if slices.ContainsFunc(old, func(o discoveryv1.Endpoint) bool { return apiequality.Semantic.DeepEqual(&o, e) }) {
				before = e.Addresses
			}
			errs = append(errs, validateEndpoint(e, obj.AddressType, path.Index(i), before)...)
		}
	}
	return append(errs, validatePorts(obj.Ports, field.NewPath("ports"))...)
}

// validateAddressType says what a tag says as well.
func validateAddressType(t discoveryv1.AddressType, path *field.Path) field.ErrorList {
	known := []discoveryv1.AddressType{discoveryv1.AddressTypeFQDN, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6}
	switch {
	case t == "":
		return field.ErrorList{field.Required(path, "").MarkCoveredByDeclarative().MarkBeta()}
	case !slices.Contains(known, t):
		return field.ErrorList{field.NotSupported(path, t, known).MarkCoveredByDeclarative().MarkBeta()}
	}
	return nil
}

func validateEndpoint(e *discoveryv1.Endpoint, addresses discoveryv1.AddressType, path *field.Path, before []string) field.ErrorList {
	var errs field.ErrorList
	if len(e.Addresses) == 0 {
		errs = append(errs, field.Required(path.Child("addresses"), "").MarkCoveredByDeclarative().MarkBeta())
	} else if len(e.Addresses) > maxAddresses {
		errs = append(errs, field.TooMany(path.Child("addresses"), len(e.Addresses), maxAddresses).WithOrigin("maxItems").MarkCoveredByDeclarative().MarkBeta())
	}
	for i, address := range e.Addresses {
		path := path.Child("addresses").Index(i)
		switch addresses {
		case discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6:
			errs = append(errs, validateAddress(address, addresses, path, before)...)
		case discoveryv1.AddressTypeFQDN:
			errs = append(errs, validation.IsFullyQualifiedDomainName(path, address)...)
		}
	}
	if e.NodeName != nil {
		errs = append(errs, fielderrors.Each(path.Child("nodeName"), *e.NodeName, apivalidation.NameIsDNSSubdomain(*e.NodeName, false))...)
	}
	topology := path.Child("deprecatedTopology")
	if len(e.DeprecatedTopology) > maxTopology {
		errs = append(errs, field.TooMany(topology, len(e.DeprecatedTopology), maxTopology))
	}
	errs = append(errs, metav1validation.ValidateLabels(e.DeprecatedTopology, topology)...)
	if e.Hostname != nil {
		errs = append(errs, fielderrors.Each(path.Child("hostname"), *e.Hostname, validation.IsDNS1123Label(*e.Hostname))...)
	}
	if e.Hints != nil {
		errs = append(errs, validateHints(e.Hints, path.Child("hints"))...)
	}
	return errs
}

// validateAddress judges an address of one family.
func validateAddress(address string, family discoveryv1.AddressType, path *field.Path, before []string) field.ErrorList {
	errs := corevalidation.IsValidIPForLegacyField(path, address, before)
	if len(errs) > 0 {
		return errs
	}
	if netutils.IsIPv6String(address) != (family == discoveryv1.AddressTypeIPv6) {
		errs = append(errs, field.Invalid(path, address, "must be an "+string(family)+" address"))
	}
	return append(errs, corevalidation.ValidateEndpointIP(address, path)...)
}

func validatePorts(ports []discoveryv1.EndpointPort, path *field.Path) field.ErrorList {
	if len(ports) > maxPorts {
		return field.ErrorList{field.TooMany(path, len(ports), maxPorts)}
	}
	var errs field.ErrorList
	names := map[string]bool{}
	for i := range ports {
		p, path := &ports[i], path.Index(i)
		name := ptr.Deref(p.Name, "")
		if name != "" {
			errs = append(errs, fielderrors.Each(path.Child("name"), name, validation.IsDNS1123Label(name))...)
		}
		if names[name] {
			errs = append(errs, field.Duplicate(path.Child("name"), name))
		}
		names[name] = true
		protocols := []corev1.Protocol{corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP}
		if p.Protocol == nil {
			errs = append(errs, field.Required(path.Child("protocol"), ""))
		} else if !slices.Contains(protocols, *p.Protocol) {
			errs = append(errs, field.NotSupported(path.Child("protocol"), *p.Protocol, protocols))
		}
		if p.AppProtocol != nil {
			errs = append(errs, fielderrors.Each(path.Child("appProtocol"), *p.AppProtocol, validation.IsQualifiedName(*p.AppProtocol))...)
		}
	}
	return errs
}

func validateHints(hints *discoveryv1.EndpointHints, path *field.Path) field.ErrorList {
	zones := make([]string, len(hints.ForZones))
	for i, z := range hints.ForZones {
		zones[i] = z.Name
	}
	nodes := make([]string, len(hints.ForNodes))
	for i, n := range hints.ForNodes {
		nodes[i] = n.Name
	}
	errs := validateHintNames(zones, path.Child("forZones"), validation.IsValidLabelValue)
	return append(errs, validateHintNames(nodes, path.Child("forNodes"), validation.IsDNS1123Subdomain)...)
}

func validateHintNames(names []string, path *field.Path, bad func(string) []string) field.ErrorList {
	if len(names) > maxHints {
		return field.ErrorList{field.TooMany(path, len(names), maxHints)}
	}
	var errs field.ErrorList
	for i, name := range names {
		path := path.Index(i).Child("name")
		if slices.Contains(names[:i], name) {
			errs = append(errs, field.Duplicate(path, name))
		}
		errs = append(errs, fielderrors.Each(path, name, bad(name))...)
	}
	return errs
}
