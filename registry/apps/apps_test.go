// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

// web is a pod template.
const web = "{metadata: {labels: {app: web, tier: front}}, spec: {containers: [{name: web, image: web:1}]}}"

// newImage updates it.
const newImage = "spec: {template: {spec: {containers: [{name: web, image: web:2}]}}}"

func TestKinds(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t).Config()
	tooFew := kindtest.Invalid{
		Name: "less than nothing", Patch: "spec: {replicas: -1}", Errors: []string{"spec.replicas: Invalid value: -1: must be greater than or equal to 0"},
	}
	ofAnother := kindtest.Invalid{
		Name: "pods of another", Patch: "spec: {selector: {matchLabels: {app: db}}}",
		Errors: []string{"spec.template.metadata.labels: Invalid value: {\"app\":\"web\",\"tier\":\"front\"}: `selector` does not match template `labels`"},
	}
	moved := kindtest.Invalid{
		Name: "another selector", OnUpdate: true, Patch: "spec: {selector: {matchLabels: {tier: front}}}",
		Errors: []string{`spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"front"}}: field is immutable`},
	}
	for _, suite := range []kindtest.Suite{{
		Resource: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "controllerrevisions"},
		Valid:    "{apiVersion: apps/v1, kind: ControllerRevision, revision: 3, data: {spec: {replicas: 1}}}",
		Update:   "revision: 4",
		Invalid: []kindtest.Invalid{{
			Name: "nothing to keep", Patch: "data: null", Errors: []string{"data: Required value: data is mandatory"},
		}, {
			Name: "before the first", Patch: "revision: -1", Errors: []string{"revision: Invalid value: -1: must be greater than or equal to 0"},
		}, {
			Name: "other data", OnUpdate: true, Patch: "data: {spec: {replicas: 2}}", Errors: []string{"data: Invalid value: {\"spec\":{\"replicas\":2}}: field is immutable"},
		}},
		Columns: []string{"Name", "Controller", "Revision", "Age"},
	}, {
		Resource:       schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"},
		Valid:          "{apiVersion: apps/v1, kind: DaemonSet, spec: {selector: {matchLabels: {app: web}}, template: " + web + "}}",
		Update:         newImage,
		Status:         "status: {desiredNumberScheduled: 3, numberReady: 2}",
		StatusMetadata: true,
		Generation:     true,
		Invalid: []kindtest.Invalid{ofAnother, moved, {
			Name: "everybody's pods", Patch: "spec: {selector: {matchLabels: null}}",
			Errors: []string{"spec.selector: Invalid value: {}: empty selector is invalid for daemonset"},
		}},
		Columns: []string{"Name", "Desired", "Current", "Ready", "Up-to-date", "Available", "Node Selector", "Age",
			"Containers", "Images", "Selector"},
		ShortNames: []string{"ds"},
	}, {
		Resource: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
		Valid:    "{apiVersion: apps/v1, kind: Deployment, spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: " + web + "}}",
		Update:   "spec: {replicas: 3}",
		Status:   "status: {replicas: 2, readyReplicas: 1}",
		// Of metadata, /status writes annotations and finalizers but no labels.
		StatusMetadata: false,
		Generation:     true,
		Invalid: []kindtest.Invalid{ofAnother, moved, tooFew, {
			Name: "two strategies", OnUpdate: true, Patch: "spec: {strategy: {type: Recreate}}",
			Errors: []string{"spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"},
		}},
		Columns:    []string{"Name", "Ready", "Up-to-date", "Available", "Age", "Containers", "Images", "Selector"},
		ShortNames: []string{"deploy"},
	}, {
		Resource:       schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"},
		Valid:          "{apiVersion: apps/v1, kind: ReplicaSet, spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: " + web + "}}",
		Update:         "spec: {replicas: 3}",
		Status:         "status: {replicas: 2, readyReplicas: 1}",
		StatusMetadata: true,
		Generation:     true,
		Invalid:        []kindtest.Invalid{ofAnother, moved, tooFew},
		Columns:        []string{"Name", "Desired", "Current", "Ready", "Age", "Containers", "Images", "Selector"},
		Selectors:      map[string]bool{"status.replicas=0": true, "status.replicas=2": false},
		ShortNames:     []string{"rs"},
	}, {
		Resource:       schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"},
		Valid:          "{apiVersion: apps/v1, kind: StatefulSet, spec: {serviceName: web, replicas: 2, selector: {matchLabels: {app: web}}, template: " + web + "}}",
		Update:         "spec: {replicas: 3}",
		Status:         "status: {replicas: 2, readyReplicas: 1}",
		StatusMetadata: true,
		Generation:     true,
		Invalid: []kindtest.Invalid{{
			Name: "an unknown order", Patch: "spec: {podManagementPolicy: Backwards}",
			Errors: []string{`spec.podManagementPolicy: Invalid value: "Backwards": must be 'OrderedReady' or 'Parallel'`},
		}, {
			Name: "everybody's pods", Patch: "spec: {selector: {matchLabels: null}}",
			Errors: []string{"spec.selector: Invalid value: {}: empty selector is invalid for statefulset"},
		}, {
			Name: "another service", OnUpdate: true, Patch: "spec: {serviceName: db}",
			Errors: []string{`spec.serviceName: Invalid value: "db": field is immutable`},
		}},
		Columns:    []string{"Name", "Ready", "Age", "Containers", "Images"},
		ShortNames: []string{"sts"},
	}} {
		t.Run(suite.Resource.Resource, func(t *testing.T) {
			t.Parallel()
			suite.Config, suite.Namespace = config, "default"
			kindtest.Run(t, suite)
		})
	}
}
