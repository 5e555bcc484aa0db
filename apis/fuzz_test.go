// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apis_test

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/randfill"

	"github.com/stoa-project/stoa/apis/autoscaling"
	"github.com/stoa-project/stoa/apis/core"
)

// fuzzFuncs make objects that conversion does not change.
func fuzzFuncs(serializer.CodecFactory) []any {
	return []any{
		// What is written as stringData is read as data.
		func(obj *core.Secret, c randfill.Continue) {
			c.FillNoCustom(obj)
			obj.StringData = nil
		},
		func(obj *autoscaling.HorizontalPodAutoscaler, c randfill.Continue) {
			c.FillNoCustom(obj)
			fuzzAutoscaler((*autoscalingv2.HorizontalPodAutoscaler)(obj), c)
		},
	}
}

// fuzzAutoscaler gives an autoscaler metrics of one kind each, with the targets
// that validation lets it have: version 1 has no place for others.
func fuzzAutoscaler(obj *autoscalingv2.HorizontalPodAutoscaler, c randfill.Continue) {
	quantity := func() *resource.Quantity { return resource.NewQuantity(c.Int63n(1000)+1, resource.DecimalSI) }
	name := func() autoscalingv2.MetricIdentifier {
		return autoscalingv2.MetricIdentifier{Name: c.String(10), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
	}
	ref := autoscalingv2.CrossVersionObjectReference{Kind: c.String(10), Name: c.String(10), APIVersion: c.String(10)}
	use := autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(c.Int31())}
	average := autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: quantity()}
	value := autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: quantity()}
	obj.Spec.Metrics = []autoscalingv2.MetricSpec{
		{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{Metric: name(), Target: average}},
		{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricSource{Metric: name(), DescribedObject: ref, Target: value}},
		{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{Metric: name(), Target: value}},
		{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{Metric: name(), Target: average}},
		{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: "memory", Target: use}},
		{Type: autoscalingv2.ContainerResourceMetricSourceType, ContainerResource: &autoscalingv2.ContainerResourceMetricSource{Name: "cpu", Container: c.String(10), Target: average}},
		{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu", Target: use}},
	}
	perPod := autoscalingv2.MetricValueStatus{AverageValue: quantity()}
	used := autoscalingv2.MetricValueStatus{AverageValue: quantity(), AverageUtilization: new(c.Int31())}
	whole := autoscalingv2.MetricValueStatus{Value: quantity(), AverageValue: quantity()}
	obj.Status.CurrentMetrics = []autoscalingv2.MetricStatus{
		{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricStatus{Metric: name(), Current: perPod}},
		{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricStatus{Metric: name(), DescribedObject: ref, Current: whole}},
		{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricStatus{Metric: name(), Current: whole}},
		{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricStatus{Name: "cpu", Current: used}},
		{Type: autoscalingv2.ContainerResourceMetricSourceType, ContainerResource: &autoscalingv2.ContainerResourceMetricStatus{Name: "cpu", Container: c.String(10), Current: used}},
	}
	if obj.Spec.Behavior == nil || obj.Spec.Behavior.ScaleUp == nil && obj.Spec.Behavior.ScaleDown == nil {
		obj.Spec.Behavior = nil // nothing is said either way
		return
	}
	for _, rules := range []**autoscalingv2.HPAScalingRules{&obj.Spec.Behavior.ScaleUp, &obj.Spec.Behavior.ScaleDown} {
		if *rules != nil && (*rules).Tolerance != nil {
			(*rules).Tolerance = quantity()
		}
	}
}
