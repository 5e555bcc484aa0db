// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/apis/storage/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// VolumeAttachments returns the kind VolumeAttachment.
func VolumeAttachments() kind.Kind {
	spec, status := storagev1.VolumeAttachmentSpec{}.SwaggerDoc(), storagev1.VolumeAttachmentStatus{}.SwaggerDoc()
	return kind.New(kind.Definition[storage.VolumeAttachment]{
		Kind: "VolumeAttachment", Plural: "volumeattachments",
		ClusterScoped:  true,
		Spec:           kind.PartOf(func(v *storage.VolumeAttachment) *storagev1.VolumeAttachmentSpec { return &v.Spec }),
		Status:         kind.PartOf(func(v *storage.VolumeAttachment) *storagev1.VolumeAttachmentStatus { return &v.Status }),
		NoGeneration:   true, // as in Kubernetes, here and in the next
		ReturnsDeleted: true,
		Strategy: kind.Strategy[storage.VolumeAttachment]{
			Validate: func(_ context.Context, obj *storage.VolumeAttachment) field.ErrorList {
				return validation.ValidateVolumeAttachment((*storagev1.VolumeAttachment)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *storage.VolumeAttachment) field.ErrorList {
				return validation.ValidateVolumeAttachmentUpdate((*storagev1.VolumeAttachment)(obj), (*storagev1.VolumeAttachment)(old))
			},
			ValidateStatus: func(_ context.Context, obj, old *storage.VolumeAttachment) field.ErrorList {
				return validation.ValidateVolumeAttachmentUpdate((*storagev1.VolumeAttachment)(obj), (*storagev1.VolumeAttachment)(old))
			},
		},
		Columns: []kind.Column[storage.VolumeAttachment]{
			kind.Name[storage.VolumeAttachment](),
			{Name: "Attacher", Format: "name", Description: spec["attacher"],
				Value: func(v *storage.VolumeAttachment) any { return v.Spec.Attacher }},
			{Name: "PV", Description: storagev1.VolumeAttachmentSource{}.SwaggerDoc()["persistentVolumeName"],
				Value: func(v *storage.VolumeAttachment) any { return ptr.Deref(v.Spec.Source.PersistentVolumeName, "") }},
			{Name: "Node", Description: spec["nodeName"],
				Value: func(v *storage.VolumeAttachment) any { return v.Spec.NodeName }},
			{Name: "Attached", Type: "boolean", Description: status["attached"],
				Value: func(v *storage.VolumeAttachment) any { return v.Status.Attached }},
			kind.Age[storage.VolumeAttachment](),
		},
	})
}
