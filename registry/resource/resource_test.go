// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	for _, suite := range []kindtest.Suite{{
		Resource: schema.GroupVersionResource{Group: "resource.k8s.io", Version: "v1", Resource: "deviceclasses"},
		Valid: `
apiVersion: resource.k8s.io/v1
kind: DeviceClass
spec: {selectors: [{cel: {expression: device.driver == "gpu.example.com"}}]}
`,
		Update:     `spec: {selectors: [{cel: {expression: device.driver == "nic.example.com"}}]}`,
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name:   "an expression that is no condition",
			Patch:  `spec: {selectors: [{cel: {expression: device.driver}}]}`,
			Errors: []string{`spec.selectors[0].cel.expression: Invalid value: "device.driver": must evaluate to bool or the unknown type, not string`},
		}, {
			Name:   "parameters that are no object",
			Patch:  `spec: {config: [{opaque: {driver: gpu.example.com, parameters: 7}}]}`,
			Errors: []string{`spec.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object`},
		}},
		Columns: []string{"Name", "Age"},
	}, {
		Resource: schema.GroupVersionResource{Group: "resource.k8s.io", Version: "v1", Resource: "devicetaintrules"},
		Valid: `
apiVersion: resource.k8s.io/v1
kind: DeviceTaintRule
spec: {deviceSelector: {driver: gpu.example.com}, taint: {key: broken, effect: NoSchedule}}
`,
		Update:     `spec: {taint: {effect: NoExecute}}`,
		Status:     `status: {conditions: [{type: Done, status: "True", reason: Evicted, message: "", lastTransitionTime: "2026-01-15T08:00:00Z"}]}`,
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name:   "a key that is no label",
			Patch:  `spec: {taint: {key: "-"}}`,
			Errors: []string{`spec.taint.key: Invalid value: "-": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`},
		}},
		Columns: []string{"Name", "Key", "Value", "Effect", "TimeAdded", "Age"},
	}, {
		Resource:  schema.GroupVersionResource{Group: "resource.k8s.io", Version: "v1", Resource: "resourceclaims"},
		Namespace: "default",
		Valid: `
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {annotations: {a: b}}
spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu.example.com}}]}}
`,
		Update: `metadata: {annotations: {a: c}}`,
		Status: `status: {allocation: {devices: {results: [{request: gpu, driver: gpu.example.com, pool: p, device: gpu-0}]}}}`,
		Invalid: []kindtest.Invalid{{
			Name:   "one request twice",
			Patch:  `spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: a}}, {name: gpu, exactly: {deviceClassName: b}}]}}`,
			Errors: []string{`spec.devices.requests[1]: Duplicate value: {"name":"gpu","exactly":{"deviceClassName":"b","allocationMode":"ExactCount","count":1}}`},
		}, {
			Name:     "another request",
			OnUpdate: true,
			Patch:    `spec: {devices: {requests: [{name: nic, exactly: {deviceClassName: gpu.example.com}}]}}`,
			Errors:   []string{`spec: Invalid value: null: field is immutable`},
		}},
		Columns: []string{"Name", "State", "Age"},
	}, {
		Resource:  schema.GroupVersionResource{Group: "resource.k8s.io", Version: "v1", Resource: "resourceclaimtemplates"},
		Namespace: "default",
		Valid: `
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
spec: {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu.example.com}}]}}}
`,
		Update: `metadata: {annotations: {a: b}}`,
		Invalid: []kindtest.Invalid{{
			Name:   "a constraint on a request that is not there",
			Patch:  `spec: {spec: {devices: {constraints: [{requests: [nic], matchAttribute: example.com/numa}]}}}`,
			Errors: []string{`spec.spec.devices.constraints[0].requests[0]: Invalid value: "nic": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'`},
		}},
		Columns: []string{"Name", "Age"},
	}, {
		Resource: schema.GroupVersionResource{Group: "resource.k8s.io", Version: "v1", Resource: "resourceslices"},
		Valid: `
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
spec:
  driver: gpu.example.com
  nodeName: node-a
  pool: {name: node-a, generation: 1, resourceSliceCount: 1}
  devices: [{name: gpu-0, capacity: {memory: {value: 40Gi}}}]
`,
		Update:     `spec: {devices: [{name: gpu-1}]}`,
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name:   "two places",
			Patch:  `spec: {allNodes: true}`,
			Errors: []string{"spec: Invalid value: \"{`nodeName`, `allNodes`}\": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set"},
		}, {
			Name:     "another node",
			OnUpdate: true,
			Patch:    `spec: {nodeName: node-b}`,
			Errors:   []string{`spec.nodeName: Invalid value: "node-b": field is immutable`},
		}},
		Columns:   []string{"Name", "Node", "Driver", "Pool", "Age"},
		Selectors: map[string]bool{"spec.nodeName=node-a": true, "spec.driver=nic.example.com": false},
	}} {
		t.Run(suite.Resource.Resource, func(t *testing.T) {
			t.Parallel()
			suite.Config = server.Config()
			kindtest.Run(t, suite)
		})
	}
}
