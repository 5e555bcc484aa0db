// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"

	"consumer.example/garden/openapi"
	gardenv1 "consumer.example/garden/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group garden.example.com.
func Group() kind.Group {
	return kind.Group{
		Name:      groupName,
		Install:   install,
		OpenAPI:   openapi.GetOpenAPIDefinitions,
		Resources: []kind.Resource{{Kind: plants(), Versions: []string{"v1"}}},
	}
}

func plants() kind.Kind {
	return kind.New(kind.Definition[Plant]{
		Kind: "Plant", Plural: "plants", ShortNames: []string{"pl"},
		Spec:   kind.PartOf(func(p *Plant) *gardenv1.PlantSpec { return &p.Spec }),
		Status: kind.PartOf(func(p *Plant) *gardenv1.PlantStatus { return &p.Status }),
		Strategy: kind.Strategy[Plant]{
			Validate: func(_ context.Context, p *Plant) field.ErrorList { return validate(p) },
		},
		Columns: []kind.Column[Plant]{
			kind.Name[Plant](),
			{Name: "Species", Description: "The name in Latin.", Value: func(p *Plant) any { return p.Spec.Species }},
			{Name: "Water", Description: "Every how many days.", Type: "integer", Value: func(p *Plant) any { return int64(p.Spec.WaterEveryDays) }},
			kind.Age[Plant](),
		},
		Fields: []kind.Field[Plant]{
			{Path: "spec.species", Value: func(p *Plant) string { return p.Spec.Species }},
		},
	})
}

func validate(p *Plant) field.ErrorList {
	var errs field.ErrorList
	spec := field.NewPath("spec")
	if p.Spec.Species == "" {
		errs = append(errs, field.Required(spec.Child("species"), ""))
	}
	if p.Spec.WaterEveryDays < 0 {
		errs = append(errs, field.Invalid(spec.Child("waterEveryDays"), p.Spec.WaterEveryDays, "must not be negative"))
	}
	return errs
}
