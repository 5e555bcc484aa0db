// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package coordination_test

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
		Resource:  schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"},
		Namespace: "default",
		Valid:     "{apiVersion: coordination.k8s.io/v1, kind: Lease, spec: {holderIdentity: a, leaseDurationSeconds: 40}}",
		Update:    "spec: {holderIdentity: b}",
		Invalid: []kindtest.Invalid{{
			Name: "no time", Patch: "spec: {leaseDurationSeconds: 0}", Errors: []string{"spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"},
		}, {
			Name: "less than no change", OnUpdate: true, Patch: "spec: {leaseTransitions: -1}",
			Errors: []string{"spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"},
		}},
		Columns: []string{"Name", "Holder", "Age"},
	})
}
