// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/apis/storage/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// Classes returns the kind StorageClass.
func Classes() kind.Kind {
	doc := storagev1.StorageClass{}.SwaggerDoc()
	name := kind.Name[storage.StorageClass]()
	name.Value = func(c *storage.StorageClass) any {
		if isDefault(c.Annotations) {
			return c.Name + " (default)"
		}
		return c.Name
	}
	return kind.New(kind.Definition[storage.StorageClass]{
		Kind: "StorageClass", Plural: "storageclasses", ShortNames: []string{"sc"},
		ClusterScoped:       true,
		UnconditionalUpdate: true, // as in Kubernetes, here and in the next
		ReturnsDeleted:      true,
		Strategy: kind.Strategy[storage.StorageClass]{
			Validate: func(_ context.Context, obj *storage.StorageClass) field.ErrorList {
				return validation.ValidateStorageClass((*storagev1.StorageClass)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *storage.StorageClass) field.ErrorList {
				return validation.ValidateStorageClassUpdate((*storagev1.StorageClass)(obj), (*storagev1.StorageClass)(old))
			},
			Warnings: func(_ context.Context, obj, _ *storage.StorageClass) []string {
				return validation.WarningsOnStorageClass((*storagev1.StorageClass)(obj))
			},
		},
		Columns: []kind.Column[storage.StorageClass]{
			name,
			{Name: "Provisioner", Description: doc["provisioner"],
				Value: func(c *storage.StorageClass) any { return c.Provisioner }},
			{Name: "ReclaimPolicy", Description: doc["reclaimPolicy"], Value: func(c *storage.StorageClass) any {
				return string(ptr.Deref(c.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete))
			}},
			{Name: "VolumeBindingMode", Description: doc["volumeBindingMode"], Value: func(c *storage.StorageClass) any {
				return string(ptr.Deref(c.VolumeBindingMode, storagev1.VolumeBindingImmediate))
			}},
			{Name: "AllowVolumeExpansion", Description: doc["allowVolumeExpansion"],
				Value: func(c *storage.StorageClass) any { return ptr.Deref(c.AllowVolumeExpansion, false) }},
			kind.Age[storage.StorageClass](),
		},
	})
}

// isDefault says whether claims without a class get this one.
func isDefault(annotations map[string]string) bool {
	return annotations["storageclass.kubernetes.io/is-default-class"] == "true" ||
		annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true"
}
