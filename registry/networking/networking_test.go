// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking_test

import (
	"fmt"
	"hash/fnv"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

// address makes an IP address of a name.
func address(name string) string {
	sum := fnv.New32()
	_, _ = sum.Write([]byte(name)) // never fails
	n := sum.Sum32()
	return fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
}

func TestKinds(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t).Config()
	for _, suite := range []kindtest.Suite{{
		Resource:   schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingressclasses"},
		Valid:      "{apiVersion: networking.k8s.io/v1, kind: IngressClass, spec: {controller: example.com/ingress, parameters: {kind: Parameters, name: a, scope: Cluster}}}",
		Update:     "spec: {parameters: {name: b}}",
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name: "of nobody", Patch: "spec: {controller: null}", Errors: []string{"spec.controller: Required value"},
		}, {
			Name: "parameters without a name", OnUpdate: true, Patch: "spec: {parameters: {name: null}}", Errors: []string{"spec.parameters.name: Required value"},
		}, {
			Name: "of somebody else", OnUpdate: true, Patch: "spec: {controller: example.com/other}",
			Errors: []string{`spec.controller: Invalid value: "example.com/other": field is immutable`},
		}},
		Columns: []string{"Name", "Controller", "Parameters", "Age"},
	}, {
		Resource:  schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
		Namespace: "default",
		Valid: `
apiVersion: networking.k8s.io/v1
kind: Ingress
spec:
  defaultBackend: {service: {name: web, port: {number: 80}}}
  rules: [{host: a.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
`,
		Update:         "spec: {defaultBackend: {service: {port: {number: 8080}}}}",
		Status:         "status: {loadBalancer: {ingress: [{ip: 203.0.113.5}]}}",
		StatusMetadata: true,
		Generation:     true,
		Invalid: []kindtest.Invalid{{
			Name: "nowhere", Patch: "spec: {rules: null, defaultBackend: null}",
			Errors: []string{"spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"},
		}, {
			Name: "no path", Patch: "spec: {rules: [{http: {paths: []}}]}", Errors: []string{"spec.rules[0].http.paths: Required value"},
		}, {
			Name: "a backend without a port", OnUpdate: true, Patch: "spec: {defaultBackend: {service: {port: null}}}",
			Errors: []string{"spec.defaultBackend: Required value: port name or number is required"},
		}},
		Columns:    []string{"Name", "Class", "Hosts", "Address", "Ports", "Age"},
		ShortNames: []string{"ing"},
	}, {
		Resource: schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ipaddresses"},
		Name:     address,
		Valid: `
apiVersion: networking.k8s.io/v1
kind: IPAddress
metadata: {annotations: {a: b}}
spec: {parentRef: {group: example.com, resource: gateways, namespace: default, name: a}}
`,
		Update: "metadata: {annotations: {a: c}}",
		Invalid: []kindtest.Invalid{{
			Name: "a name that is no address", Patch: "metadata: {name: a}",
			Errors: []string{`metadata.name: Invalid value: "a": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`},
		}, {
			Name: "of nobody", Patch: "spec: {parentRef: null}", Errors: []string{"spec.parentRef: Required value"},
		}, {
			Name: "of somebody else", OnUpdate: true, Patch: "spec: {parentRef: {name: b}}", Errors: []string{"spec.parentRef: Invalid value: null: field is immutable"},
		}},
		Columns:    []string{"Name", "ParentRef"},
		Cells:      3, // the age too, without a heading, as in Kubernetes
		ShortNames: []string{"ip"},
	}, {
		Resource:   schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
		Namespace:  "default",
		Valid:      "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {podSelector: {matchLabels: {a: b}}, policyTypes: [Ingress]}}",
		Update:     "spec: {policyTypes: [Egress]}",
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name: "an unknown direction", Patch: "spec: {policyTypes: [Sideways]}",
			Errors: []string{`spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Ingress", "Egress"`},
		}, {
			Name: "from nobody", OnUpdate: true, Patch: "spec: {ingress: [{from: [{}]}]}", Errors: []string{"spec.ingress[0].from[0]: Required value: must specify a peer"},
		}},
		Columns:    []string{"Name", "Pod-Selector", "Age"},
		ShortNames: []string{"netpol"},
	}, {
		Resource:       schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "servicecidrs"},
		Valid:          "{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, spec: {cidrs: [10.98.0.0/28]}}",
		Update:         `spec: {cidrs: [10.98.0.0/28, "fd00:98::/112"]}`,
		Status:         `status: {conditions: [{type: Ready, status: "True", reason: R, message: "", lastTransitionTime: "2026-01-15T08:05:00Z"}]}`,
		StatusMetadata: true,
		Invalid: []kindtest.Invalid{{
			Name: "no range", Patch: "spec: {cidrs: []}", Errors: []string{"spec.cidrs: Required value: at least one CIDR required"},
		}, {
			Name: "two ranges of one family", Patch: "spec: {cidrs: [10.98.0.0/28, 10.98.1.0/28]}",
			Errors: []string{`spec.cidrs: Invalid value: ["10.98.0.0/28","10.98.1.0/28"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64`},
		}, {
			Name: "another range", OnUpdate: true, Patch: "spec: {cidrs: [10.98.1.0/28]}", Errors: []string{`spec.cidrs[0]: Invalid value: "10.98.1.0/28": field is immutable`},
		}},
		Columns: []string{"Name", "CIDRs", "Age"},
	}} {
		t.Run(suite.Resource.Resource, func(t *testing.T) {
			t.Parallel()
			suite.Config = config
			kindtest.Run(t, suite)
		})
	}
}
