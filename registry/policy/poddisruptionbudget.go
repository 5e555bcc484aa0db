// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	policyv1 "k8s.io/api/policy/v1"

	"github.com/stoa-project/stoa/apis/policy"
	"github.com/stoa-project/stoa/registry/kind"
)

// PodDisruptionBudgets returns the kind PodDisruptionBudget.
func PodDisruptionBudgets() kind.Kind {
	return kind.New(kind.Definition[policy.PodDisruptionBudget]{
		Kind: "PodDisruptionBudget", Plural: "poddisruptionbudgets", ShortNames: []string{"pdb"},
		Spec:                kind.PartOf(func(p *policy.PodDisruptionBudget) *policyv1.PodDisruptionBudgetSpec { return &p.Spec }),
		Status:              kind.PartOf(func(p *policy.PodDisruptionBudget) *policyv1.PodDisruptionBudgetStatus { return &p.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
