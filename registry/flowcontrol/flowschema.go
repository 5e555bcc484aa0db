// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package flowcontrol

import (
	"context"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/flowcontrol"
	"github.com/stoa-project/stoa/apis/flowcontrol/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// none is what kubectl prints for what is not set.
const none = "<none>"

// FlowSchemas returns the kind FlowSchema.
func FlowSchemas() kind.Kind {
	return kind.New(kind.Definition[flowcontrol.FlowSchema]{
		Kind: "FlowSchema", Plural: "flowschemas",
		ClusterScoped: true,
		Spec:          kind.PartOf(func(f *flowcontrol.FlowSchema) *flowcontrolv1.FlowSchemaSpec { return &f.Spec }),
		Status:        kind.PartOf(func(f *flowcontrol.FlowSchema) *flowcontrolv1.FlowSchemaStatus { return &f.Status }),
		Strategy: kind.Strategy[flowcontrol.FlowSchema]{
			Validate: func(_ context.Context, obj *flowcontrol.FlowSchema) field.ErrorList {
				return validation.ValidateFlowSchema((*flowcontrolv1.FlowSchema)(obj))
			},
			ValidateStatus: func(_ context.Context, obj, _ *flowcontrol.FlowSchema) field.ErrorList {
				return validation.ValidateFlowSchemaStatus((*flowcontrolv1.FlowSchema)(obj))
			},
		},
		Columns: []kind.Column[flowcontrol.FlowSchema]{
			kind.Name[flowcontrol.FlowSchema](),
			{Name: "PriorityLevel", Description: flowcontrolv1.PriorityLevelConfigurationReference{}.SwaggerDoc()["name"],
				Value: func(f *flowcontrol.FlowSchema) any { return f.Spec.PriorityLevelConfiguration.Name }},
			{Name: "MatchingPrecedence", Description: flowcontrolv1.FlowSchemaSpec{}.SwaggerDoc()["matchingPrecedence"],
				Value: func(f *flowcontrol.FlowSchema) any { return f.Spec.MatchingPrecedence }},
			{Name: "DistinguisherMethod", Description: flowcontrolv1.FlowSchemaSpec{}.SwaggerDoc()["distinguisherMethod"],
				Value: func(f *flowcontrol.FlowSchema) any {
					if m := f.Spec.DistinguisherMethod; m != nil {
						return string(m.Type)
					}
					return none
				}},
			kind.Age[flowcontrol.FlowSchema](),
			{Name: "MissingPL", Description: "references a broken or non-existent PriorityLevelConfiguration", Value: dangling},
		},
	})
}

// dangling says whether the priority level is missing; "?" if nobody looked yet.
func dangling(f *flowcontrol.FlowSchema) any {
	for _, c := range f.Status.Conditions {
		if c.Type == flowcontrolv1.FlowSchemaConditionDangling {
			return string(c.Status)
		}
	}
	return "?"
}
