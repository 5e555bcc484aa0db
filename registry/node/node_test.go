// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node_test

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
		Resource: schema.GroupVersionResource{Group: "node.k8s.io", Version: "v1", Resource: "runtimeclasses"},
		Valid:    "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, handler: kata, scheduling: {nodeSelector: {runtime: kata}}}",
		Update:   "scheduling: {nodeSelector: {runtime: other}}",
		Invalid: []kindtest.Invalid{{
			Name: "no handler", Patch: "handler: null", Errors: []string{"handler: Required value"},
		}, {
			Name: "another handler", OnUpdate: true, Patch: "handler: runc", Errors: []string{"handler: Invalid value: null: field is immutable"},
		}},
		Columns: []string{"Name", "Handler", "Age"},
	})
}
