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

// PriorityLevelConfigurations returns the kind PriorityLevelConfiguration.
func PriorityLevelConfigurations() kind.Kind {
	return kind.New(kind.Definition[flowcontrol.PriorityLevelConfiguration]{
		Kind: "PriorityLevelConfiguration", Plural: "prioritylevelconfigurations",
		ClusterScoped: true,
		Spec: kind.PartOf(func(p *flowcontrol.PriorityLevelConfiguration) *flowcontrolv1.PriorityLevelConfigurationSpec {
			return &p.Spec
		}),
		Status: kind.PartOf(func(p *flowcontrol.PriorityLevelConfiguration) *flowcontrolv1.PriorityLevelConfigurationStatus {
			return &p.Status
		}),
		Strategy: kind.Strategy[flowcontrol.PriorityLevelConfiguration]{
			Validate: func(_ context.Context, obj *flowcontrol.PriorityLevelConfiguration) field.ErrorList {
				return validation.ValidatePriorityLevelConfiguration((*flowcontrolv1.PriorityLevelConfiguration)(obj))
			},
			ValidateStatus: func(_ context.Context, obj, _ *flowcontrol.PriorityLevelConfiguration) field.ErrorList {
				return validation.ValidatePriorityLevelConfigurationStatus((*flowcontrolv1.PriorityLevelConfiguration)(obj))
			},
		},
		Columns: levelColumns(),
	})
}

func levelColumns() []kind.Column[flowcontrol.PriorityLevelConfiguration] {
	limited := func(title, field string, value func(*flowcontrolv1.LimitedPriorityLevelConfiguration) *int32) kind.Column[flowcontrol.PriorityLevelConfiguration] {
		doc := flowcontrolv1.QueuingConfiguration{}.SwaggerDoc()[field]
		if doc == "" {
			doc = flowcontrolv1.LimitedPriorityLevelConfiguration{}.SwaggerDoc()[field]
		}
		return kind.Column[flowcontrol.PriorityLevelConfiguration]{Name: title, Description: doc,
			Value: func(p *flowcontrol.PriorityLevelConfiguration) any {
				if p.Spec.Limited == nil {
					return none
				}
				if v := value(p.Spec.Limited); v != nil {
					return *v
				}
				return none
			}}
	}
	queuing := func(title, field string, value func(*flowcontrolv1.QueuingConfiguration) *int32) kind.Column[flowcontrol.PriorityLevelConfiguration] {
		return limited(title, field, func(l *flowcontrolv1.LimitedPriorityLevelConfiguration) *int32 {
			if l.LimitResponse.Queuing == nil {
				return nil
			}
			return value(l.LimitResponse.Queuing)
		})
	}
	return []kind.Column[flowcontrol.PriorityLevelConfiguration]{
		kind.Name[flowcontrol.PriorityLevelConfiguration](),
		{Name: "Type", Description: flowcontrolv1.PriorityLevelConfigurationSpec{}.SwaggerDoc()["type"],
			Value: func(p *flowcontrol.PriorityLevelConfiguration) any { return string(p.Spec.Type) }},
		limited("NominalConcurrencyShares", "nominalConcurrencyShares",
			func(l *flowcontrolv1.LimitedPriorityLevelConfiguration) *int32 { return l.NominalConcurrencyShares }),
		queuing("Queues", "queues", func(q *flowcontrolv1.QueuingConfiguration) *int32 { return &q.Queues }),
		queuing("HandSize", "handSize", func(q *flowcontrolv1.QueuingConfiguration) *int32 { return &q.HandSize }),
		queuing("QueueLengthLimit", "queueLengthLimit", func(q *flowcontrolv1.QueuingConfiguration) *int32 { return &q.QueueLengthLimit }),
		kind.Age[flowcontrol.PriorityLevelConfiguration](),
	}
}
