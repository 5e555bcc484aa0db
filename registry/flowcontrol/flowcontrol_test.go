// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package flowcontrol_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	// The controller would write the status of flow schemas meanwhile.
	config := stoatest.Start(t, stoatest.WithFlags("--enable-priority-and-fairness=false")).Config()
	for _, suite := range []kindtest.Suite{{
		Resource: schema.GroupVersionResource{Group: "flowcontrol.apiserver.k8s.io", Version: "v1", Resource: "flowschemas"},
		Valid: `
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
spec:
  priorityLevelConfiguration: {name: workload-low}
  matchingPrecedence: 9500
  rules:
  - subjects: [{kind: User, user: {name: nobody}}]
    resourceRules: [{verbs: [get], apiGroups: [""], resources: [pods], namespaces: ["*"]}]
`,
		Update:     "spec: {matchingPrecedence: 9600}",
		Status:     `status: {conditions: [{type: Dangling, status: "False", reason: Found, message: "", lastTransitionTime: "2026-01-15T08:05:00Z"}]}`,
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name: "before the first", Patch: "spec: {matchingPrecedence: -1}", Errors: []string{"spec.matchingPrecedence: Invalid value: -1: must be a positive value"},
		}, {
			Name: "a user who is a group", OnUpdate: true,
			Patch: "spec: {rules: [{subjects: [{kind: Group, user: {name: nobody}}], nonResourceRules: [{verbs: [get], nonResourceURLs: [/x]}]}]}",
			Errors: []string{
				"spec.rules[0].subjects[0].group: Required value: group is required when subject kind is 'Group'",
				"spec.rules[0].subjects[0].user: Forbidden: user is forbidden when subject kind is not 'User'",
			},
		}},
		Columns: []string{"Name", "PriorityLevel", "MatchingPrecedence", "DistinguisherMethod", "Age", "MissingPL"},
	}, {
		Resource:   schema.GroupVersionResource{Group: "flowcontrol.apiserver.k8s.io", Version: "v1", Resource: "prioritylevelconfigurations"},
		Valid:      "{apiVersion: flowcontrol.apiserver.k8s.io/v1, kind: PriorityLevelConfiguration, spec: {type: Limited, limited: {nominalConcurrencyShares: 5, limitResponse: {type: Reject}}}}",
		Update:     "spec: {limited: {nominalConcurrencyShares: 6}}",
		Status:     `status: {conditions: [{type: example.com/Seen, status: "True", reason: R, message: "", lastTransitionTime: "2026-01-15T08:05:00Z"}]}`,
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name: "no limit", Patch: "spec: {limited: null}", Errors: []string{"spec.limited: Required value"},
		}, {
			Name: "less than nothing", OnUpdate: true, Patch: "spec: {limited: {nominalConcurrencyShares: -1}}",
			Errors: []string{"spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer"},
		}},
		Columns: []string{"Name", "Type", "NominalConcurrencyShares", "Queues", "HandSize", "QueueLengthLimit", "Age"},
	}} {
		t.Run(suite.Resource.Resource, func(t *testing.T) {
			t.Parallel()
			suite.Config = config
			kindtest.Run(t, suite)
		})
	}
}
