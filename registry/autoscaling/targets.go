// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package autoscaling

import (
	"fmt"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// shown is how many targets kubectl get shows.
const shown = 2

const unknown = "<unknown>"

// targets shows what is measured against what is wanted, for example
// "cpu: 55%/70%". The status of a metric has the index of its spec.
func targets(specs []autoscalingv2.MetricSpec, statuses []autoscalingv2.MetricStatus) string {
	if len(specs) == 0 {
		return "<none>"
	}
	var list []string
	for i := range specs {
		if i == shown {
			return fmt.Sprintf("%s + %d more...", strings.Join(list, ", "), len(specs)-shown)
		}
		status := autoscalingv2.MetricStatus{}
		if i < len(statuses) {
			status = statuses[i]
		}
		list = append(list, target(&specs[i], &status))
	}
	return strings.Join(list, ", ")
}

func target(spec *autoscalingv2.MetricSpec, status *autoscalingv2.MetricStatus) string {
	var current autoscalingv2.MetricValueStatus
	switch spec.Type {
	case autoscalingv2.ExternalMetricSourceType:
		if status.External != nil {
			current = status.External.Current
		}
		return valueTarget(spec.External.Target, current)
	case autoscalingv2.ObjectMetricSourceType:
		if status.Object != nil {
			current = status.Object.Current
		}
		return valueTarget(spec.Object.Target, current)
	case autoscalingv2.PodsMetricSourceType:
		if status.Pods != nil {
			current = status.Pods.Current
		}
		return quantity(current.AverageValue) + "/" + quantity(spec.Pods.Target.AverageValue)
	case autoscalingv2.ResourceMetricSourceType:
		if status.Resource != nil {
			current = status.Resource.Current
		}
		return spec.Resource.Name.String() + ": " + resourceTarget(spec.Resource.Target, current)
	case autoscalingv2.ContainerResourceMetricSourceType:
		if status.ContainerResource != nil {
			current = status.ContainerResource.Current
		}
		return spec.ContainerResource.Name.String() + ": " + resourceTarget(spec.ContainerResource.Target, current)
	default:
		return "<unknown type>"
	}
}

func valueTarget(target autoscalingv2.MetricTarget, current autoscalingv2.MetricValueStatus) string {
	if target.AverageValue != nil {
		return quantity(current.AverageValue) + "/" + quantity(target.AverageValue) + " (avg)"
	}
	return quantity(current.Value) + "/" + quantity(target.Value)
}

func resourceTarget(target autoscalingv2.MetricTarget, current autoscalingv2.MetricValueStatus) string {
	if target.AverageValue != nil {
		return quantity(current.AverageValue) + "/" + quantity(target.AverageValue)
	}
	return percent(current.AverageUtilization, unknown) + "/" + percent(target.AverageUtilization, "<auto>")
}

func quantity(q *resource.Quantity) string {
	if q == nil {
		return unknown
	}
	return q.String()
}

func percent(n *int32, unset string) string {
	if n == nil {
		return unset
	}
	return fmt.Sprintf("%d%%", *n)
}
