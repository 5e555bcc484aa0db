// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package scheduling_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	kindtest.Run(t, kindtest.Suite{
		Config:      stoatest.Start(t).Config(),
		Resource:    schema.GroupVersionResource{Group: "scheduling.k8s.io", Version: "v1", Resource: "priorityclasses"},
		Valid:       "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, value: 1000, description: a}",
		Update:      "description: b",
		Generations: [3]int64{1, 1, 1}, // it is set and never counted
		Invalid: []kindtest.Invalid{{
			Name: "higher than users may go", Patch: "value: 1000000001",
			Errors: []string{"value: Forbidden: maximum allowed value of a user defined priority is 1000000000"},
		}, {
			Name: "an unknown policy", Patch: "preemptionPolicy: Perhaps",
			Errors: []string{`preemptionPolicy: Unsupported value: "Perhaps": supported values: "PreemptLowerPriority", "Never"`},
		}, {
			Name: "another value", OnUpdate: true, Patch: "value: 2000", Errors: []string{"value: Forbidden: may not be changed in an update."},
		}, {
			Name: "another policy", OnUpdate: true, Patch: "preemptionPolicy: Never", Errors: []string{`preemptionPolicy: Invalid value: "Never": field is immutable`},
		}},
		Columns:    []string{"Name", "Value", "Global-Default", "Age", "PreemptionPolicy"},
		ShortNames: []string{"pc"},
	})
}
