// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package discovery_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	kindtest.Run(t, kindtest.Suite{
		Config:    stoatest.Start(t).Config(),
		Resource:  schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
		Namespace: "default",
		Valid: `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
endpoints: [{addresses: [10.1.2.3]}]
ports: [{name: http, port: 80}]
`,
		Update:      "endpoints: [{addresses: [10.1.2.4]}]",
		Generations: [3]int64{1, 2, 3}, // labels count too
		Invalid: []kindtest.Invalid{{
			Name: "no family", Patch: "addressType: null", Errors: []string{"addressType: Required value"},
		}, {
			Name: "addresses of another family", Patch: "addressType: IPv6", Errors: []string{`endpoints[0].addresses[0]: Invalid value: "10.1.2.3": must be an IPv6 address`},
		}, {
			Name: "another family", OnUpdate: true, Patch: "addressType: FQDN", Errors: []string{"addressType: Invalid value: null: field is immutable"},
		}},
		Columns: []string{"Name", "AddressType", "Ports", "Endpoints", "Age"},
	})
}
