// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t).Config()
	for _, suite := range []kindtest.Suite{
		{
			Resource: schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"},
			Valid:    "{apiVersion: storage.k8s.io/v1, kind: StorageClass, provisioner: d.example.com, parameters: {a: b}, allowVolumeExpansion: true}",
			Update:   "allowVolumeExpansion: false",
			Invalid: []kindtest.Invalid{{
				Name: "a class of nobody", Patch: "provisioner: ''", Errors: []string{"provisioner: Required value"},
			}, {
				Name: "what stays", OnUpdate: true, Patch: "parameters: {a: c}", Errors: []string{"parameters: Invalid value: null: field is immutable"},
			}},
			Columns:    []string{"Name", "Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion", "Age"},
			ShortNames: []string{"sc"},
		},
		{
			Resource:  schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "csistoragecapacities"},
			Namespace: "default",
			Valid:     "{apiVersion: storage.k8s.io/v1, kind: CSIStorageCapacity, storageClassName: c, capacity: 1Gi, nodeTopology: {matchLabels: {a: b}}}",
			Update:    "capacity: 2Gi",
			Invalid: []kindtest.Invalid{{
				Name: "less than nothing", Patch: "capacity: -1Gi", Errors: []string{`capacity: Invalid value: "-1Gi": must be greater than or equal to 0`},
			}, {
				Name: "what stays", OnUpdate: true, Patch: "storageClassName: d", Errors: []string{`storageClassName: Invalid value: "d": field is immutable`},
			}},
			Columns: []string{"Name", "Created At"},
		},
	} {
		t.Run(suite.Resource.Resource, func(t *testing.T) {
			t.Parallel()
			suite.Config = config
			kindtest.Run(t, suite)
		})
	}
}
