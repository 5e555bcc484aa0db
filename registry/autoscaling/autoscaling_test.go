// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package autoscaling_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t).Config()
	target := "{scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 2, maxReplicas: 5"
	columns := []string{"Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"}
	for _, suite := range []kindtest.Suite{{
		Resource:  schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
		Versions:  []string{"v1"},
		Namespace: "default",
		Valid: "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, spec: " + target + `, metrics: [
  {type: Pods, pods: {metric: {name: packets}, target: {type: AverageValue, averageValue: "30"}}},
  {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]}}`,
		Update: "spec: {maxReplicas: 6}",
		Status: "status: {currentReplicas: 3, desiredReplicas: 4}",
		Invalid: []kindtest.Invalid{{
			Name: "of nothing", Patch: "spec: {scaleTargetRef: {name: null}}", Errors: []string{"spec.scaleTargetRef.name: Required value"},
		}, {
			Name: "a target without a value", Patch: "spec: {metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization}}}]}",
			Errors: []string{"spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization"},
		}, {
			Name: "more than the most", OnUpdate: true, Patch: "spec: {minReplicas: 7}",
			Errors: []string{"spec.maxReplicas: Invalid value: 5: must be greater than or equal to `minReplicas`"},
		}},
	}, {
		Resource:  schema.GroupVersionResource{Group: "autoscaling", Version: "v1", Resource: "horizontalpodautoscalers"},
		Versions:  []string{"v2"},
		Namespace: "kube-public", // both are one resource
		Valid:     "{apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, spec: " + target + ", targetCPUUtilizationPercentage: 75}}",
		Update:    "spec: {targetCPUUtilizationPercentage: 80}",
		Status:    "status: {currentReplicas: 3, desiredReplicas: 4, currentCPUUtilizationPercentage: 60}",
		Invalid: []kindtest.Invalid{{
			Name: "of no group", Patch: "spec: {scaleTargetRef: {apiVersion: null}}",
			Errors: []string{`spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group`},
		}, {
			Name: "less than the least", OnUpdate: true, Patch: "spec: {maxReplicas: 1}",
			Errors: []string{"spec.maxReplicas: Invalid value: 1: must be greater than or equal to `minReplicas`"},
		}},
	}} {
		t.Run(suite.Resource.Version, func(t *testing.T) {
			t.Parallel()
			suite.Config, suite.StatusMetadata, suite.Generation = config, true, true
			suite.Columns, suite.ShortNames = columns, []string{"hpa"}
			kindtest.Run(t, suite)
		})
	}
}
