// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_StorageClass deletes volumes with their claims and binds them at once.
func SetDefaults_StorageClass(obj *storagev1.StorageClass) {
	defaults.Pointer(&obj.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete)
	defaults.Pointer(&obj.VolumeBindingMode, storagev1.VolumeBindingImmediate)
}

// SetDefaults_CSIDriver describes a driver that attaches, and does nothing else that
// one may choose to.
func SetDefaults_CSIDriver(obj *storagev1.CSIDriver) {
	spec := &obj.Spec
	defaults.Pointer(&spec.AttachRequired, true)
	for _, option := range []**bool{&spec.PodInfoOnMount, &spec.StorageCapacity, &spec.RequiresRepublish, &spec.SELinuxMount, &spec.PreventPodSchedulingIfMissing} {
		if *option == nil {
			*option = new(false)
		}
	}
	defaults.Pointer(&spec.FSGroupPolicy, storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy)
	if len(spec.VolumeLifecycleModes) == 0 {
		spec.VolumeLifecycleModes = []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecyclePersistent}
	}
}
