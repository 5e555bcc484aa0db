// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/registry/kind"
)

// VolumeAttachments returns the kind VolumeAttachment.
func VolumeAttachments() kind.Kind {
	return kind.New(kind.Definition[storage.VolumeAttachment]{
		Kind: "VolumeAttachment", Plural: "volumeattachments",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(v *storage.VolumeAttachment) *storagev1.VolumeAttachmentSpec { return &v.Spec }),
		Status:              kind.PartOf(func(v *storage.VolumeAttachment) *storagev1.VolumeAttachmentStatus { return &v.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
