// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestPodDisruptionBudgets(t *testing.T) {
	t.Parallel()
	kindtest.Run(t, kindtest.Suite{
		Config:         stoatest.Start(t).Config(),
		Resource:       schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
		Namespace:      "default",
		Valid:          "{apiVersion: policy/v1, kind: PodDisruptionBudget, spec: {minAvailable: 50%, selector: {matchLabels: {a: b}}}}",
		Update:         "spec: {minAvailable: 2}",
		Status:         "status: {currentHealthy: 3, expectedPods: 4}",
		StatusMetadata: true,
		Generation:     true,
		Invalid: []kindtest.Invalid{{
			Name: "both limits", Patch: "spec: {selector: null, maxUnavailable: 1}",
			Errors: []string{`spec: Invalid value: {"MinAvailable":"50%","Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set`},
		}, {
			Name: "too much", Patch: "spec: {minAvailable: 101%}", Errors: []string{`spec.minAvailable: Invalid value: "101%": must not be greater than 100%`},
		}, {
			Name: "too little", OnUpdate: true, Patch: "spec: {minAvailable: -1}", Errors: []string{"spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"},
		}},
		Columns:    []string{"Name", "Min Available", "Max Unavailable", "Allowed Disruptions", "Age"},
		ShortNames: []string{"pdb"},
	})
}
