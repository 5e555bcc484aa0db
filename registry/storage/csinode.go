// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/apis/storage/validation"
	"github.com/stoa-project/stoa/features"
	"github.com/stoa-project/stoa/registry/kind"
)

// CSINodes returns the kind CSINode.
func CSINodes() kind.Kind {
	return kind.New(kind.Definition[storage.CSINode]{
		Kind: "CSINode", Plural: "csinodes",
		ClusterScoped:  true,
		Spec:           kind.PartOf(func(c *storage.CSINode) *storagev1.CSINodeSpec { return &c.Spec }),
		Status:         kind.PartOf(func(c *storage.CSINode) *storagev1.CSINodeStatus { return &c.Status }),
		NoGeneration:   true, // as in Kubernetes, here and in the next
		ReturnsDeleted: true,
		Strategy: kind.Strategy[storage.CSINode]{
			Validate: func(_ context.Context, obj *storage.CSINode) field.ErrorList {
				return validation.ValidateCSINode((*storagev1.CSINode)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *storage.CSINode) field.ErrorList {
				return validation.ValidateCSINodeUpdate((*storagev1.CSINode)(obj), (*storagev1.CSINode)(old))
			},
			PrepareStatus: func(_ context.Context, obj, old *storage.CSINode) {
				if len(old.Status.StorageHealth) == 0 && !features.Enabled(features.CSIVolumeHealth) {
					obj.Status.StorageHealth = nil
				}
			},
		},
		Columns: []kind.Column[storage.CSINode]{
			kind.Name[storage.CSINode](),
			{Name: "Drivers", Type: "integer", Description: "Drivers indicates the number of CSI drivers registered on the node",
				Value: func(c *storage.CSINode) any { return len(c.Spec.Drivers) }},
			kind.Age[storage.CSINode](),
		},
	})
}
