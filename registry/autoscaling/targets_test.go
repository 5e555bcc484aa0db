// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package autoscaling

import (
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestTargets(t *testing.T) {
	t.Parallel()
	cpu := autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name: "cpu", Target: autoscalingv2.MetricTarget{AverageUtilization: new(int32(70))}}}
	queue := autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Target: autoscalingv2.MetricTarget{AverageValue: new(resource.MustParse("30"))}}}
	used := []autoscalingv2.MetricStatus{{Resource: &autoscalingv2.ResourceMetricStatus{Current: autoscalingv2.MetricValueStatus{AverageUtilization: new(int32(55))}}}}
	for _, tc := range []struct {
		specs []autoscalingv2.MetricSpec
		want  string
	}{
		{nil, "<none>"},
		{[]autoscalingv2.MetricSpec{cpu}, "cpu: 55%/70%"},
		{[]autoscalingv2.MetricSpec{cpu, queue}, "cpu: 55%/70%, <unknown>/30 (avg)"},
		{[]autoscalingv2.MetricSpec{cpu, queue, queue, {}}, "cpu: 55%/70%, <unknown>/30 (avg) + 2 more..."},
		{[]autoscalingv2.MetricSpec{{}}, "<unknown type>"},
	} {
		if got := targets(tc.specs, used); got != tc.want {
			t.Errorf("got %s, want %s", got, tc.want)
		}
	}
}
