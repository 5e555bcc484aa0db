// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestNodes(t *testing.T) {
	t.Parallel()
	kindtest.Run(t, kindtest.Suite{
		Config:   stoatest.Start(t).Config(),
		Resource: schema.GroupVersionResource{Version: "v1", Resource: "nodes"},
		Valid: `
apiVersion: v1
kind: Node
spec: {podCIDR: 10.0.0.0/24, podCIDRs: [10.0.0.0/24], taints: [{key: a, effect: NoSchedule}, {key: node.kubernetes.io/not-ready, effect: NoSchedule}]}
status: {capacity: {cpu: "4"}}
`,
		Update: `spec: {taints: [{key: a, effect: NoExecute}]}`,
		Status: `status: {allocatable: {cpu: 3500m}}`,
		// Labels and annotations of a node are its kubelet's, which writes the status.
		StatusMetadata: true,
		StatusOnCreate: true,
		Invalid: []kindtest.Invalid{{
			Name:   "one taint twice",
			Patch:  `spec: {taints: [{key: a, effect: NoSchedule}, {key: a, value: x, effect: NoSchedule}]}`,
			Errors: []string{`metadata.taints[1]: Duplicate value: {"Key":"a","Value":"x","Effect":"NoSchedule","TimeAdded":null}: taints must be unique by key and effect pair`},
		}, {
			Name:   "two ranges of one family",
			Patch:  `spec: {podCIDRs: [10.0.0.0/24, 10.0.1.0/24]}`,
			Errors: []string{`spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP family`},
		}, {
			Name:     "another range",
			OnUpdate: true,
			Patch:    `spec: {podCIDR: 10.0.1.0/24, podCIDRs: [10.0.1.0/24]}`,
			Errors:   []string{"spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid"},
		}},
		Columns: []string{"Name", "Status", "Roles", "Age", "Version", "Internal-IP", "External-IP", "OS-Image",
			"Kernel-Version", "Container-Runtime"},
		Selectors:  map[string]bool{"spec.unschedulable=false": true},
		ShortNames: []string{"no"},
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t, withoutControllers)
	for _, suite := range []kindtest.Suite{{
		Resource: schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"},
		Valid: `
apiVersion: v1
kind: ResourceQuota
spec: {hard: {pods: "4"}, scopes: [NotTerminating]}
`,
		Update:         `spec: {hard: {pods: "5"}}`,
		Status:         `status: {used: {pods: "1"}}`,
		StatusMetadata: true,
		Invalid: []kindtest.Invalid{{
			Name:     "other scopes",
			OnUpdate: true,
			Patch:    `spec: {scopes: [Terminating]}`,
			Errors:   []string{`spec.scopes: Invalid value: ["Terminating"]: field is immutable`},
		}, {
			Name:   "scopes that exclude each other",
			Patch:  `spec: {scopes: [Terminating, NotTerminating]}`,
			Errors: []string{`spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes`},
		}},
		Columns:    []string{"Name", "Request", "Limit", "Age"},
		ShortNames: []string{"quota"},
	}, {
		Resource: schema.GroupVersionResource{Version: "v1", Resource: "limitranges"},
		Valid: `
apiVersion: v1
kind: LimitRange
spec: {limits: [{type: Container, max: {cpu: "2"}}]}
`,
		Update: `spec: {limits: [{type: Container, max: {cpu: "3"}}]}`,
		Invalid: []kindtest.Invalid{{
			Name:   "a least that is more than the most",
			Patch:  `spec: {limits: [{type: Pod, min: {cpu: "2"}, max: {cpu: "1"}}]}`,
			Errors: []string{`spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1`},
		}},
		Columns:    []string{"Name", "Created At"},
		ShortNames: []string{"limits"},
	}} {
		t.Run(suite.Resource.Resource, func(t *testing.T) {
			t.Parallel()
			suite.Config, suite.Namespace = server.Config(), "default"
			kindtest.Run(t, suite)
		})
	}
}
