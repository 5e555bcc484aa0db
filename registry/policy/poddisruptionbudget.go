// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/policy"
	"github.com/stoa-project/stoa/apis/policy/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// PodDisruptionBudgets returns the kind PodDisruptionBudget.
func PodDisruptionBudgets() kind.Kind {
	spec, status := policyv1.PodDisruptionBudgetSpec{}.SwaggerDoc(), policyv1.PodDisruptionBudgetStatus{}.SwaggerDoc()
	return kind.New(kind.Definition[policy.PodDisruptionBudget]{
		Kind: "PodDisruptionBudget", Plural: "poddisruptionbudgets", ShortNames: []string{"pdb"},
		Spec:           kind.PartOf(func(p *policy.PodDisruptionBudget) *policyv1.PodDisruptionBudgetSpec { return &p.Spec }),
		Status:         kind.PartOf(func(p *policy.PodDisruptionBudget) *policyv1.PodDisruptionBudgetStatus { return &p.Status }),
		StatusMetadata: true, // as in Kubernetes
		Strategy: kind.Strategy[policy.PodDisruptionBudget]{
			ValidateName: validateName,
			Validate: func(_ context.Context, obj *policy.PodDisruptionBudget) field.ErrorList {
				return validation.ValidatePodDisruptionBudget((*policyv1.PodDisruptionBudget)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *policy.PodDisruptionBudget) field.ErrorList {
				return validation.ValidatePodDisruptionBudgetUpdate((*policyv1.PodDisruptionBudget)(obj), (*policyv1.PodDisruptionBudget)(old))
			},
			ValidateStatus: func(_ context.Context, obj, _ *policy.PodDisruptionBudget) field.ErrorList {
				return validation.ValidatePodDisruptionBudgetStatus((*policyv1.PodDisruptionBudget)(obj))
			},
		},
		Columns: []kind.Column[policy.PodDisruptionBudget]{
			kind.Name[policy.PodDisruptionBudget](),
			{Name: "Min Available", Description: spec["minAvailable"],
				Value: func(p *policy.PodDisruptionBudget) any { return share(p.Spec.MinAvailable) }},
			{Name: "Max Unavailable", Description: spec["maxUnavailable"],
				Value: func(p *policy.PodDisruptionBudget) any { return share(p.Spec.MaxUnavailable) }},
			{Name: "Allowed Disruptions", Type: "integer", Description: status["disruptionsAllowed"],
				Value: func(p *policy.PodDisruptionBudget) any { return p.Status.DisruptionsAllowed }},
			kind.Age[policy.PodDisruptionBudget](),
		},
	})
}

func share(of *intstr.IntOrString) string {
	if of == nil {
		return "N/A"
	}
	return of.String()
}

// validateName takes, as Kubernetes does, any name that can be in a URL.
func validateName(name string, prefix bool) []string {
	if prefix {
		return content.IsPathSegmentPrefix(name)
	}
	return content.IsPathSegmentName(name)
}
