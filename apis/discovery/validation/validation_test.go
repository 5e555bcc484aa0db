// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func TestValidateEndpointSlice(t *testing.T) {
	t.Parallel()
	slice := func(kind discoveryv1.AddressType, addresses ...string) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{AddressType: kind, Endpoints: []discoveryv1.Endpoint{{Addresses: addresses}}}
	}
	ported := slice("IPv4", "1.2.3.4")
	ported.Ports = []discoveryv1.EndpointPort{{Name: new("a"), Protocol: new(corev1.ProtocolTCP)}, {Name: new("a")}}
	hinted := slice("IPv4", "1.2.3.4")
	hinted.Endpoints[0].Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "z"}, {Name: "z"}}}
	legacy := slice("IPv4", "1.2.3.04")
	for name, test := range map[string]struct {
		obj, old *discoveryv1.EndpointSlice
		want     []string
	}{
		"valid":          {slice("IPv6", "fd00::1"), nil, nil},
		"name":           {slice("FQDN", "a.example.com"), nil, nil},
		"unknown type":   {slice("x", "a"), nil, []string{`addressType: Unsupported value: "x": supported values: "FQDN", "IPv4", "IPv6"`}},
		"another family": {slice("IPv4", "fd00::1"), nil, []string{`endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address`}},
		"this host":      {slice("IPv4", "127.0.0.1"), nil, []string{`endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range`}},
		"no address":     {slice("IPv4"), nil, []string{"endpoints[0].addresses: Required value"}},
		"ports":          {ported, nil, []string{`ports[1].name: Duplicate value: "a"`, "ports[1].protocol: Required value"}},
		"hints":          {hinted, nil, []string{`endpoints[0].hints.forZones[1].name: Duplicate value: "z"`}},
		"an old form":    {legacy, legacy, nil},
		"comes":          {legacy, slice("IPv4", "1.2.3.4"), []string{"endpoints[0].addresses[0]: Invalid value: "}},
		"another type":   {slice("IPv6", "fd00::1"), slice("IPv4", "1.2.3.4"), []string{`addressType: Invalid value: "IPv6": field is immutable`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			errs := ValidateEndpointSlice(test.obj)
			if test.old != nil {
				errs = ValidateEndpointSliceUpdate(test.obj, test.old)
			}
			fielderrorstest.ComparePrefixes(t, test.want, errs)
		})
	}
}
