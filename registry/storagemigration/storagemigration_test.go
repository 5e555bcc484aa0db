// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storagemigration_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	kindtest.Run(t, kindtest.Suite{
		Config:   stoatest.Start(t).Config(),
		Resource: schema.GroupVersionResource{Group: "storagemigration.k8s.io", Version: "v1", Resource: "storageversionmigrations"},
		Valid: `
apiVersion: storagemigration.k8s.io/v1
kind: StorageVersionMigration
metadata: {annotations: {a: b}}
spec: {resource: {group: apps, resource: deployments}}
`,
		Update: "metadata: {annotations: {a: c}}",
		Status: `status: {resourceVersion: "100", conditions: [{type: Running, status: "True", reason: Busy, message: "", lastTransitionTime: "2026-01-15T08:05:00Z"}]}`,
		Invalid: []kindtest.Invalid{{
			Name: "of nothing", Patch: "spec: {resource: {resource: null}}", Errors: []string{"spec.resource.resource: Required value: resource is required to be set"},
		}, {
			Name: "of something else", OnUpdate: true, Patch: "spec: {resource: {resource: daemonsets}}",
			Errors: []string{`spec: Invalid value: {"Resource":{"group":"apps","resource":"daemonsets"}}: field is immutable`},
		}},
		Columns: []string{"Name", "Resource", "Status"},
	})
}
