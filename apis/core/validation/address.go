// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/stoa-project/stoa/features"
)

// IsValidIPForLegacyField judges an IP address in a field that used to take sloppy
// ones, such as 010.0.0.1. What the object holds already, old, stays valid.
func IsValidIPForLegacyField(path *field.Path, value string, old []string) field.ErrorList {
	return validation.IsValidIPForLegacyField(path, value, features.Enabled(features.StrictIPCIDRValidation), old)
}

// IsValidCIDRForLegacyField does for ranges what IsValidIPForLegacyField does for
// addresses.
func IsValidCIDRForLegacyField(path *field.Path, value string, old []string) field.ErrorList {
	return validation.IsValidCIDRForLegacyField(path, value, features.Enabled(features.StrictIPCIDRValidation), old)
}

// ValidateEndpointIP refuses addresses that no client on another machine can reach,
// or that would let a user redirect the traffic of a node to itself.
func ValidateEndpointIP(value string, path *field.Path) field.ErrorList {
	ip := netutils.ParseIPSloppy(value)
	if ip == nil {
		return field.ErrorList{field.Invalid(path, value, "must be a valid IP address").WithOrigin("format=ip-sloppy")}
	}
	var errs field.ErrorList
	for _, special := range []struct {
		is   bool
		text string
	}{
		{ip.IsUnspecified(), fmt.Sprintf("may not be unspecified (%v)", value)},
		{ip.IsLoopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)"},
		{ip.IsLinkLocalUnicast(), "may not be in the link-local range (169.254.0.0/16, fe80::/10)"},
		{ip.IsLinkLocalMulticast(), "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"},
	} {
		if special.is {
			errs = append(errs, field.Invalid(path, value, special.text).WithOrigin("format=non-special-ip"))
		}
	}
	return errs
}
