// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_PersistentVolume keeps what is on a volume that nobody needs any more.
func SetDefaults_PersistentVolume(obj *corev1.PersistentVolume) {
	defaults.Value(&obj.Status.Phase, corev1.VolumePending)
	defaults.Value(&obj.Spec.PersistentVolumeReclaimPolicy, corev1.PersistentVolumeReclaimRetain)
	defaults.Pointer(&obj.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
}

// SetDefaults_PersistentVolumeClaim says that a new claim has no volume yet.
func SetDefaults_PersistentVolumeClaim(obj *corev1.PersistentVolumeClaim) {
	defaults.Value(&obj.Status.Phase, corev1.ClaimPending)
}

// SetDefaults_PersistentVolumeClaimSpec asks for a file system.
func SetDefaults_PersistentVolumeClaimSpec(obj *corev1.PersistentVolumeClaimSpec) {
	defaults.Pointer(&obj.VolumeMode, corev1.PersistentVolumeFilesystem)
}
