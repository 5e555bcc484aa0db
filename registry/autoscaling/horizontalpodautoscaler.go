// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package autoscaling

import (
	"context"
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/stoa-project/stoa/apis/autoscaling"
	"github.com/stoa-project/stoa/apis/autoscaling/validation"
	"github.com/stoa-project/stoa/features"
	"github.com/stoa-project/stoa/registry/kind"
)

type autoscaler = autoscaling.HorizontalPodAutoscaler

// HorizontalPodAutoscalers returns the kind HorizontalPodAutoscaler.
func HorizontalPodAutoscalers() kind.Kind {
	doc, status := autoscalingv2.HorizontalPodAutoscalerSpec{}.SwaggerDoc(), autoscalingv2.HorizontalPodAutoscalerStatus{}.SwaggerDoc()
	return kind.New(kind.Definition[autoscaler]{
		Kind: "HorizontalPodAutoscaler", Plural: "horizontalpodautoscalers", ShortNames: []string{"hpa"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(h *autoscaler) *autoscalingv2.HorizontalPodAutoscalerSpec { return &h.Spec }),
		Status:              kind.PartOf(func(h *autoscaler) *autoscalingv2.HorizontalPodAutoscalerStatus { return &h.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[autoscaler]{
			Declarative: func(_ context.Context, _, old *autoscaler) rest.DeclarativeValidationConfig {
				return rest.DeclarativeValidationConfig{Options: map[string]bool{
					string(features.HPAScaleToZero): validation.ScalesToZero((*autoscalingv2.HorizontalPodAutoscaler)(old)),
				}}
			},
			Validate: func(_ context.Context, obj *autoscaler) field.ErrorList {
				return validation.ValidateHorizontalPodAutoscaler((*autoscalingv2.HorizontalPodAutoscaler)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *autoscaler) field.ErrorList {
				return validation.ValidateHorizontalPodAutoscalerUpdate((*autoscalingv2.HorizontalPodAutoscaler)(obj), (*autoscalingv2.HorizontalPodAutoscaler)(old))
			},
			ValidateStatus: func(_ context.Context, obj, _ *autoscaler) field.ErrorList {
				return validation.ValidateHorizontalPodAutoscalerStatus((*autoscalingv2.HorizontalPodAutoscaler)(obj))
			},
		},
		Columns: []kind.Column[autoscaler]{
			kind.Name[autoscaler](),
			{Name: "Reference", Description: doc["scaleTargetRef"], Value: func(h *autoscaler) any {
				return h.Spec.ScaleTargetRef.Kind + "/" + h.Spec.ScaleTargetRef.Name
			}},
			{Name: "Targets", Description: doc["metrics"], Value: func(h *autoscaler) any { return targets(h.Spec.Metrics, h.Status.CurrentMetrics) }},
			{Name: "MinPods", Description: doc["minReplicas"], Value: func(h *autoscaler) any {
				if h.Spec.MinReplicas == nil {
					return "<unset>"
				}
				return strconv.Itoa(int(*h.Spec.MinReplicas))
			}},
			{Name: "MaxPods", Description: doc["maxReplicas"], Value: func(h *autoscaler) any { return h.Spec.MaxReplicas }},
			{Name: "Replicas", Description: status["currentReplicas"], Value: func(h *autoscaler) any { return h.Status.CurrentReplicas }},
			kind.Age[autoscaler](),
		},
	})
}
