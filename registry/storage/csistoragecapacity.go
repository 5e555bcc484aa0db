// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/apis/storage/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// CSIStorageCapacities returns the kind CSIStorageCapacity.
func CSIStorageCapacities() kind.Kind {
	return kind.New(kind.Definition[storage.CSIStorageCapacity]{
		Kind: "CSIStorageCapacity", Plural: "csistoragecapacities",
		Strategy: kind.Strategy[storage.CSIStorageCapacity]{
			Validate: func(_ context.Context, obj *storage.CSIStorageCapacity) field.ErrorList {
				return validation.ValidateCSIStorageCapacity((*storagev1.CSIStorageCapacity)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *storage.CSIStorageCapacity) field.ErrorList {
				return validation.ValidateCSIStorageCapacityUpdate((*storagev1.CSIStorageCapacity)(obj), (*storagev1.CSIStorageCapacity)(old))
			},
			Warnings: func(_ context.Context, obj, _ *storage.CSIStorageCapacity) []string {
				return validation.WarningsOnCSIStorageCapacity((*storagev1.CSIStorageCapacity)(obj))
			},
		},
		Columns: []kind.Column[storage.CSIStorageCapacity]{ // Kubernetes has none of its own for this kind
			kind.Name[storage.CSIStorageCapacity](),
			{Name: "Created At", Type: "date", Description: metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"],
				Value: func(c *storage.CSIStorageCapacity) any { return c.CreationTimestamp.UTC().Format(time.RFC3339) }},
		},
	})
}
