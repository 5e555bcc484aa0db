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
	config := stoatest.Start(t, stoatest.WithFlags("--feature-gates=CSIVolumeHealth=true")).Config() // or CSINodes have no status
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
		{
			Resource:    schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "csidrivers"},
			Valid:       "{apiVersion: storage.k8s.io/v1, kind: CSIDriver, spec: {attachRequired: true, tokenRequests: [{audience: a}]}}",
			Update:      "spec: {tokenRequests: [{audience: b}]}",
			Generations: [3]int64{0, 0, 1}, // it is counted from the first change on
			Invalid: []kindtest.Invalid{{
				Name: "one audience twice", Patch: "spec: {tokenRequests: [{audience: a}, {audience: a}]}",
				Errors: []string{`spec.tokenRequests[1].audience: Duplicate value: "a"`},
			}, {
				Name: "what stays", OnUpdate: true, Patch: "spec: {volumeLifecycleModes: [Ephemeral]}",
				Errors: []string{`spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable`},
			}},
			Columns: []string{"Name", "AttachRequired", "PodInfoOnMount", "StorageCapacity", "TokenRequests", "RequiresRepublish", "Modes", "Age"},
		},
		{
			Resource: schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "csinodes"},
			Valid:    "{apiVersion: storage.k8s.io/v1, kind: CSINode, spec: {drivers: [{name: a.example.com, nodeID: a, allocatable: {count: 1}}]}}",
			Update:   "spec: {drivers: [{name: a.example.com, nodeID: a, allocatable: {count: 2}}]}",
			Status: `
status:
  storageHealth:
  - name: a.example.com
    healthConditions: [{status: StorageDegraded, reason: SlowDisk, message: m, accessMode: ReadWriteOnce, volumeMode: Filesystem, lastTransitionTime: "2026-01-15T08:05:00Z"}]
`,
			Invalid: []kindtest.Invalid{{
				Name: "one driver twice", Patch: "spec: {drivers: [{name: a.example.com, nodeID: a}, {name: a.example.com, nodeID: b}]}",
				Errors: []string{`spec.drivers[1].name: Duplicate value: "a.example.com"`},
			}, {
				Name: "another node", OnUpdate: true, Patch: "spec: {drivers: [{name: a.example.com, nodeID: b}]}",
				Errors: []string{`spec.drivers: Invalid value: {"Name":"a.example.com","NodeID":"b","TopologyKeys":null,"Allocatable":null}: field is immutable`},
			}},
			Columns: []string{"Name", "Drivers", "Age"},
		},
		{
			Resource: schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "volumeattachments"},
			Valid:    "{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {annotations: {a: b}}, spec: {attacher: a.example.com, nodeName: node-a, source: {persistentVolumeName: v}}}",
			Update:   "metadata: {annotations: {a: c}}",
			Status:   "status: {attached: true}",
			Invalid: []kindtest.Invalid{{
				Name: "of no volume", Patch: "spec: {source: {persistentVolumeName: null}}",
				Errors: []string{"spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"},
			}, {
				Name: "what stays", OnUpdate: true, Patch: "spec: {nodeName: node-b}", Errors: []string{"spec: Invalid value: null: field is immutable"},
			}},
			Columns: []string{"Name", "Attacher", "PV", "Node", "Attached", "Age"},
		},
		{
			Resource: schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "volumeattributesclasses"},
			Valid:    "{apiVersion: storage.k8s.io/v1, kind: VolumeAttributesClass, metadata: {annotations: {a: b}}, driverName: a.example.com, parameters: {iops: '1'}}",
			Update:   "metadata: {annotations: {a: c}}",
			// It waits until no claim uses it.
			KeepsDeleted: true,
			Invalid: []kindtest.Invalid{{
				Name: "a class of nothing", Patch: "parameters: null", Errors: []string{"parameters: Required value: must contain at least one key/value pair"},
			}, {
				Name: "another driver", OnUpdate: true, Patch: "driverName: b.example.com", Errors: []string{"driverName: Forbidden: updates to driverName are forbidden."},
			}, {
				Name: "other parameters", OnUpdate: true, Patch: "parameters: {iops: '2'}", Errors: []string{"parameters: Forbidden: updates to parameters are forbidden."},
			}},
			Columns:    []string{"Name", "DriverName", "Age"},
			ShortNames: []string{"vac"},
		},
	} {
		t.Run(suite.Resource.Resource, func(t *testing.T) {
			t.Parallel()
			suite.Config = config
			kindtest.Run(t, suite)
		})
	}
}
