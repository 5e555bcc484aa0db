// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/apis/storage/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// VolumeAttributesClasses returns the kind VolumeAttributesClass.
func VolumeAttributesClasses() kind.Kind {
	return kind.New(kind.Definition[storage.VolumeAttributesClass]{
		Kind: "VolumeAttributesClass", Plural: "volumeattributesclasses", ShortNames: []string{"vac"},
		ClusterScoped:       true,
		UnconditionalUpdate: true, // as in Kubernetes, here and in the next
		ReturnsDeleted:      true,
		Strategy: kind.Strategy[storage.VolumeAttributesClass]{
			Validate: func(_ context.Context, obj *storage.VolumeAttributesClass) field.ErrorList {
				return validation.ValidateVolumeAttributesClass((*storagev1.VolumeAttributesClass)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *storage.VolumeAttributesClass) field.ErrorList {
				return validation.ValidateVolumeAttributesClassUpdate((*storagev1.VolumeAttributesClass)(obj), (*storagev1.VolumeAttributesClass)(old))
			},
		},
		Columns: []kind.Column[storage.VolumeAttributesClass]{
			kind.Name[storage.VolumeAttributesClass](),
			{Name: "DriverName", Description: storagev1.VolumeAttributesClass{}.SwaggerDoc()["driverName"],
				Value: func(c *storage.VolumeAttributesClass) any { return c.DriverName }},
			kind.Age[storage.VolumeAttributesClass](),
		},
	})
}
