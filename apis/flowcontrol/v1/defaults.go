// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import flowcontrolv1 "k8s.io/api/flowcontrol/v1"

// SetDefaults_FlowSchemaSpec puts a schema without precedence in the middle.
func SetDefaults_FlowSchemaSpec(obj *flowcontrolv1.FlowSchemaSpec) {
	if obj.MatchingPrecedence == 0 {
		obj.MatchingPrecedence = 1000
	}
}

// SetDefaults_ExemptPriorityLevelConfiguration reserves and lends nothing.
func SetDefaults_ExemptPriorityLevelConfiguration(obj *flowcontrolv1.ExemptPriorityLevelConfiguration) {
	defaultShares(&obj.NominalConcurrencyShares, 0)
	defaultShares(&obj.LendablePercent, 0)
}

// SetDefaults_LimitedPriorityLevelConfiguration reserves a fair part and lends nothing.
func SetDefaults_LimitedPriorityLevelConfiguration(obj *flowcontrolv1.LimitedPriorityLevelConfiguration) {
	defaultShares(&obj.NominalConcurrencyShares, 30)
	defaultShares(&obj.LendablePercent, 0)
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

func defaultShares(field **int32, value int32) {
	if *field == nil {
		*field = &value
	}
}
