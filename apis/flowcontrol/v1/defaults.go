// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_FlowSchemaSpec puts a schema without precedence in the middle.
func SetDefaults_FlowSchemaSpec(obj *flowcontrolv1.FlowSchemaSpec) {
	defaults.Value(&obj.MatchingPrecedence, 1000)
}

// SetDefaults_ExemptPriorityLevelConfiguration reserves and lends nothing.
func SetDefaults_ExemptPriorityLevelConfiguration(obj *flowcontrolv1.ExemptPriorityLevelConfiguration) {
	defaults.Pointer(&obj.NominalConcurrencyShares, 0)
	defaults.Pointer(&obj.LendablePercent, 0)
}

// SetDefaults_LimitedPriorityLevelConfiguration reserves a fair part and lends nothing.
func SetDefaults_LimitedPriorityLevelConfiguration(obj *flowcontrolv1.LimitedPriorityLevelConfiguration) {
	defaults.Pointer(&obj.NominalConcurrencyShares, 30)
	defaults.Pointer(&obj.LendablePercent, 0)
}

// SetDefaults_QueuingConfiguration gives a level its queues.
func SetDefaults_QueuingConfiguration(obj *flowcontrolv1.QueuingConfiguration) {
	defaultCount(&obj.Queues, 64)
	defaultCount(&obj.HandSize, 8)
	defaultCount(&obj.QueueLengthLimit, 50)
}

func defaultCount(field *int32, value int32) {
	if *field == 0 {
		*field = value
	}
}
