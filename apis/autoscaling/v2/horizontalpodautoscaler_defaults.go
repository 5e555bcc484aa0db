// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v2

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/autoscaling"
	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_HorizontalPodAutoscaler scales by the use of CPUs, and completes the
// behavior if there is one.
func SetDefaults_HorizontalPodAutoscaler(obj *autoscalingv2.HorizontalPodAutoscaler) {
	defaults.Pointer(&obj.Spec.MinReplicas, 1)
	if len(obj.Spec.Metrics) == 0 {
		obj.Spec.Metrics = []autoscalingv2.MetricSpec{{
			Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{
				Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To(autoscaling.DefaultCPUUtilization),
			}},
		}}
	}
	if obj.Spec.Behavior == nil {
		return
	}
	double := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}
	obj.Spec.Behavior.ScaleUp = completeRules(obj.Spec.Behavior.ScaleUp, ptr.To[int32](0),
		autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15}, double)
	// The controller knows how long to wait before it scales down.
	obj.Spec.Behavior.ScaleDown = completeRules(obj.Spec.Behavior.ScaleDown, nil, double)
}

func completeRules(rules *autoscalingv2.HPAScalingRules, window *int32, policies ...autoscalingv2.HPAScalingPolicy) *autoscalingv2.HPAScalingRules {
	defaults.Pointer(&rules, autoscalingv2.HPAScalingRules{})
	defaults.Pointer(&rules.SelectPolicy, autoscalingv2.MaxChangePolicySelect)
	if rules.StabilizationWindowSeconds == nil {
		rules.StabilizationWindowSeconds = window
	}
	if rules.Policies == nil {
		rules.Policies = policies
	}
	return rules
}
