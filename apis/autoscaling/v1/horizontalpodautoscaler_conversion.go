// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"encoding/json"
	"maps"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/conversion"

	"github.com/stoa-project/stoa/apis/autoscaling"
	"github.com/stoa-project/stoa/apis/hubtext"
)

// Convert_autoscaling_HorizontalPodAutoscaler_To_v1_HorizontalPodAutoscaler writes
// what the version has no fields for into annotations, from which the opposite
// direction reads it.
func Convert_autoscaling_HorizontalPodAutoscaler_To_v1_HorizontalPodAutoscaler(in *autoscaling.HorizontalPodAutoscaler, out *autoscalingv1.HorizontalPodAutoscaler, s conversion.Scope) error {
	if err := autoConvert_autoscaling_HorizontalPodAutoscaler_To_v1_HorizontalPodAutoscaler(in, out, s); err != nil {
		return err
	}
	out.Annotations = autoscaling.WithoutConverted(out.Annotations)
	var metrics []autoscalingv1.MetricSpec
	for i := range in.Spec.Metrics {
		if cpuUtilization(&in.Spec.Metrics[i]) == nil {
			metrics = append(metrics, metricSpecToV1(&in.Spec.Metrics[i]))
		}
	}
	// All of them: the field has no place for the absolute use of CPUs.
	var current []autoscalingv1.MetricStatus
	for i := range in.Status.CurrentMetrics {
		current = append(current, metricStatusToV1(&in.Status.CurrentMetrics[i]))
	}
	var conditions []autoscalingv1.HorizontalPodAutoscalerCondition
	for _, c := range in.Status.Conditions {
		conditions = append(conditions, autoscalingv1.HorizontalPodAutoscalerCondition{
			Type: autoscalingv1.HorizontalPodAutoscalerConditionType(c.Type), Status: c.Status, LastTransitionTime: c.LastTransitionTime,
			Reason: c.Reason, Message: c.Message, ObservedGeneration: c.ObservedGeneration,
		})
	}
	for _, part := range []struct {
		name  string
		empty bool
		value any
	}{
		{autoscaling.MetricsAnnotation, len(metrics) == 0, metrics},
		{autoscaling.CurrentMetricsAnnotation, len(current) == 0, current},
		{autoscaling.ConditionsAnnotation, len(conditions) == 0, conditions},
		// Servers write it by the names of Go since there is the field.
		{autoscaling.BehaviorAnnotation, in.Spec.Behavior == nil, hubtext.Of(in.Spec.Behavior)},
	} {
		if part.empty {
			continue
		}
		text, err := json.Marshal(part.value)
		if err != nil {
			return err
		}
		out.Annotations = maps.Clone(out.Annotations)
		if out.Annotations == nil {
			out.Annotations = map[string]string{}
		}
		out.Annotations[part.name] = string(text)
	}
	return nil
}

// Convert_v1_HorizontalPodAutoscaler_To_autoscaling_HorizontalPodAutoscaler reads
// what the opposite direction wrote. Users can write the annotations too; what
// cannot be read is ignored, as there is no way to refuse it here.
func Convert_v1_HorizontalPodAutoscaler_To_autoscaling_HorizontalPodAutoscaler(in *autoscalingv1.HorizontalPodAutoscaler, out *autoscaling.HorizontalPodAutoscaler, s conversion.Scope) error {
	if err := autoConvert_v1_HorizontalPodAutoscaler_To_autoscaling_HorizontalPodAutoscaler(in, out, s); err != nil {
		return err
	}
	var metrics []autoscalingv1.MetricSpec
	if readAnnotation(in, autoscaling.MetricsAnnotation, &metrics) {
		all := make([]autoscalingv2.MetricSpec, 0, len(metrics)+1)
		for i := range metrics {
			all = append(all, metricSpecFromV1(&metrics[i]))
		}
		out.Spec.Metrics = append(all, out.Spec.Metrics...)
	}
	if len(out.Spec.Metrics) == 0 {
		// The controller of this version had the default in itself.
		out.Spec.Metrics = []autoscalingv2.MetricSpec{cpuMetric(autoscaling.DefaultCPUUtilization)}
	}
	var behavior autoscalingv2.HorizontalPodAutoscalerBehavior
	if readAnnotation(in, autoscaling.BehaviorAnnotation, &behavior) && behavior != (autoscalingv2.HorizontalPodAutoscalerBehavior{}) {
		out.Spec.Behavior = &behavior
	}
	var current []autoscalingv1.MetricStatus
	if readAnnotation(in, autoscaling.CurrentMetricsAnnotation, &current) {
		out.Status.CurrentMetrics = make([]autoscalingv2.MetricStatus, len(current))
		for i := range current {
			out.Status.CurrentMetrics[i] = metricStatusFromV1(&current[i])
		}
	}
	var conditions []autoscalingv1.HorizontalPodAutoscalerCondition
	if readAnnotation(in, autoscaling.ConditionsAnnotation, &conditions) {
		out.Status.Conditions = make([]autoscalingv2.HorizontalPodAutoscalerCondition, len(conditions))
		for i, c := range conditions {
			out.Status.Conditions[i] = autoscalingv2.HorizontalPodAutoscalerCondition{
				Type: autoscalingv2.HorizontalPodAutoscalerConditionType(c.Type), Status: c.Status, LastTransitionTime: c.LastTransitionTime,
				Reason: c.Reason, Message: c.Message, ObservedGeneration: c.ObservedGeneration,
			}
		}
	}
	out.Annotations = autoscaling.WithoutConverted(out.Annotations)
	return nil
}

func readAnnotation(in *autoscalingv1.HorizontalPodAutoscaler, name string, to any) bool {
	text, ok := in.Annotations[name]
	return ok && json.Unmarshal([]byte(text), to) == nil
}

// cpuUtilization returns the target for which the version has a field.
func cpuUtilization(metric *autoscalingv2.MetricSpec) *int32 {
	if metric.Type != autoscalingv2.ResourceMetricSourceType || metric.Resource == nil || metric.Resource.Name != corev1.ResourceCPU {
		return nil
	}
	return metric.Resource.Target.AverageUtilization
}

func cpuMetric(utilization int32) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{
		Type: autoscalingv2.ResourceMetricSourceType,
		Resource: &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{
			Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &utilization,
		}},
	}
}

// Convert_v2_HorizontalPodAutoscalerSpec_To_v1_HorizontalPodAutoscalerSpec converts
// what the version has fields for.
func Convert_v2_HorizontalPodAutoscalerSpec_To_v1_HorizontalPodAutoscalerSpec(in *autoscalingv2.HorizontalPodAutoscalerSpec, out *autoscalingv1.HorizontalPodAutoscalerSpec, _ conversion.Scope) error {
	*out = autoscalingv1.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv1.CrossVersionObjectReference(in.ScaleTargetRef),
		MinReplicas:    in.MinReplicas, MaxReplicas: in.MaxReplicas,
	}
	for i := range in.Metrics {
		if target := cpuUtilization(&in.Metrics[i]); target != nil {
			out.TargetCPUUtilizationPercentage = new(*target)
			break
		}
	}
	return nil
}

// Convert_v1_HorizontalPodAutoscalerSpec_To_v2_HorizontalPodAutoscalerSpec is its opposite.
func Convert_v1_HorizontalPodAutoscalerSpec_To_v2_HorizontalPodAutoscalerSpec(in *autoscalingv1.HorizontalPodAutoscalerSpec, out *autoscalingv2.HorizontalPodAutoscalerSpec, _ conversion.Scope) error {
	*out = autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference(in.ScaleTargetRef),
		MinReplicas:    in.MinReplicas, MaxReplicas: in.MaxReplicas,
	}
	if target := in.TargetCPUUtilizationPercentage; target != nil {
		out.Metrics = []autoscalingv2.MetricSpec{cpuMetric(*target)}
	}
	return nil
}

// Convert_v2_HorizontalPodAutoscalerStatus_To_v1_HorizontalPodAutoscalerStatus
// converts what the version has fields for.
func Convert_v2_HorizontalPodAutoscalerStatus_To_v1_HorizontalPodAutoscalerStatus(in *autoscalingv2.HorizontalPodAutoscalerStatus, out *autoscalingv1.HorizontalPodAutoscalerStatus, _ conversion.Scope) error {
	*out = autoscalingv1.HorizontalPodAutoscalerStatus{
		ObservedGeneration: in.ObservedGeneration, LastScaleTime: in.LastScaleTime,
		CurrentReplicas: in.CurrentReplicas, DesiredReplicas: in.DesiredReplicas,
	}
	for _, metric := range in.CurrentMetrics {
		if metric.Type != autoscalingv2.ResourceMetricSourceType || metric.Resource == nil || metric.Resource.Name != corev1.ResourceCPU {
			continue
		}
		if current := metric.Resource.Current.AverageUtilization; current != nil {
			out.CurrentCPUUtilizationPercentage = new(*current)
		}
	}
	return nil
}

// Convert_v1_HorizontalPodAutoscalerStatus_To_v2_HorizontalPodAutoscalerStatus is its opposite.
func Convert_v1_HorizontalPodAutoscalerStatus_To_v2_HorizontalPodAutoscalerStatus(in *autoscalingv1.HorizontalPodAutoscalerStatus, out *autoscalingv2.HorizontalPodAutoscalerStatus, _ conversion.Scope) error {
	*out = autoscalingv2.HorizontalPodAutoscalerStatus{
		ObservedGeneration: in.ObservedGeneration, LastScaleTime: in.LastScaleTime,
		CurrentReplicas: in.CurrentReplicas, DesiredReplicas: in.DesiredReplicas,
	}
	if current := in.CurrentCPUUtilizationPercentage; current != nil {
		out.CurrentMetrics = []autoscalingv2.MetricStatus{{
			Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricStatus{Name: corev1.ResourceCPU,
				Current: autoscalingv2.MetricValueStatus{AverageUtilization: new(*current)}},
		}}
	}
	return nil
}
