// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t).Config()
	const work = "{spec: {restartPolicy: Never, containers: [{name: work, image: work:1}]}}"
	for _, suite := range []kindtest.Suite{{
		Resource:       schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "cronjobs"},
		Valid:          `{apiVersion: batch/v1, kind: CronJob, spec: {schedule: "*/5 * * * *", jobTemplate: {spec: {template: ` + work + `}}}}`,
		Update:         `spec: {schedule: "*/6 * * * *"}`,
		Status:         `status: {lastScheduleTime: "2026-01-15T08:00:00Z"}`,
		StatusMetadata: true,
		Generation:     true,
		Invalid: []kindtest.Invalid{{
			Name: "never", Patch: "spec: {schedule: never}", Errors: []string{`spec.schedule: Invalid value: "never": expected exactly 5 fields, found 1: [never]`},
		}, {
			Name: "a name without room for its jobs", Patch: "metadata: {name: kindtest-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}",
			Errors: []string{`metadata.name: Invalid value: "kindtest-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": must be no more than 52 characters`},
		}, {
			Name: "an unknown policy", OnUpdate: true, Patch: "spec: {concurrencyPolicy: Perhaps}",
			Errors: []string{`spec.concurrencyPolicy: Unsupported value: "Perhaps": supported values: "Allow", "Forbid", "Replace"`},
		}},
		Columns: []string{"Name", "Schedule", "Timezone", "Suspend", "Active", "Last Schedule", "Age",
			"Containers", "Images", "Selector"},
		ShortNames: []string{"cj"},
	}, {
		Resource:       schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"},
		Valid:          "{apiVersion: batch/v1, kind: Job, metadata: {labels: {a: b}}, spec: {parallelism: 2, completions: 5, template: " + work + "}}",
		Update:         "spec: {parallelism: 3}",
		Status:         `status: {startTime: "2026-01-15T08:00:00Z", active: 2}`,
		StatusMetadata: true,
		Generation:     true,
		Orphans:        true, // as before there were policies
		Invalid: []kindtest.Invalid{{
			Name: "less than nothing", Patch: "spec: {parallelism: -1}", Errors: []string{"spec.parallelism: Invalid value: -1: must be greater than or equal to 0"},
		}, {
			Name: "pods for ever", Patch: "spec: {template: {spec: {restartPolicy: Always}}}",
			Errors: []string{`spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"`},
		}, {
			Name: "another end", OnUpdate: true, Patch: "spec: {completions: 6}", Errors: []string{"spec.completions: Invalid value: 6: field is immutable"},
		}},
		Columns:   []string{"Name", "Status", "Completions", "Duration", "Age", "Containers", "Images", "Selector"},
		Selectors: map[string]bool{"status.successful=0": true, "status.successful=5": false},
	}} {
		t.Run(suite.Resource.Resource, func(t *testing.T) {
			t.Parallel()
			suite.Config, suite.Namespace = config, "default"
			kindtest.Run(t, suite)
		})
	}
}
