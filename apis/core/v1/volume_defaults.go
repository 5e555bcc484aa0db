// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_Volume makes a volume without a source an empty directory, and pulls
// the image of one from an image as that of a container.
func SetDefaults_Volume(obj *corev1.Volume) {
	if reflect.ValueOf(obj.VolumeSource).IsZero() {
		obj.EmptyDir = &corev1.EmptyDirVolumeSource{}
	}
	if obj.Image != nil && obj.Image.PullPolicy == "" {
		obj.Image.PullPolicy = pullPolicy(obj.Image.Reference)
	}
}

// SetDefaults_HostPathVolumeSource leaves it open what is at the path.
func SetDefaults_HostPathVolumeSource(obj *corev1.HostPathVolumeSource) {
	defaults.Pointer(&obj.Type, corev1.HostPathUnset)
}

// SetDefaults_SecretVolumeSource lets everyone read the files.
func SetDefaults_SecretVolumeSource(obj *corev1.SecretVolumeSource) {
	defaults.Pointer(&obj.DefaultMode, corev1.SecretVolumeSourceDefaultMode)
}

// SetDefaults_ConfigMapVolumeSource lets everyone read the files.
func SetDefaults_ConfigMapVolumeSource(obj *corev1.ConfigMapVolumeSource) {
	defaults.Pointer(&obj.DefaultMode, corev1.ConfigMapVolumeSourceDefaultMode)
}

// SetDefaults_DownwardAPIVolumeSource lets everyone read the files.
func SetDefaults_DownwardAPIVolumeSource(obj *corev1.DownwardAPIVolumeSource) {
	defaults.Pointer(&obj.DefaultMode, corev1.DownwardAPIVolumeSourceDefaultMode)
}

// SetDefaults_ProjectedVolumeSource lets everyone read the files.
func SetDefaults_ProjectedVolumeSource(obj *corev1.ProjectedVolumeSource) {
	defaults.Pointer(&obj.DefaultMode, corev1.ProjectedVolumeSourceDefaultMode)
}

// SetDefaults_ServiceAccountTokenProjection lets tokens live for an hour.
func SetDefaults_ServiceAccountTokenProjection(obj *corev1.ServiceAccountTokenProjection) {
	defaults.Pointer(&obj.ExpirationSeconds, int64(60*60))
}

// SetDefaults_ISCSIVolumeSource uses the interface that comes with every initiator.
func SetDefaults_ISCSIVolumeSource(obj *corev1.ISCSIVolumeSource) {
	defaults.Value(&obj.ISCSIInterface, "default")
}

// SetDefaults_ISCSIPersistentVolumeSource does the same.
func SetDefaults_ISCSIPersistentVolumeSource(obj *corev1.ISCSIPersistentVolumeSource) {
	defaults.Value(&obj.ISCSIInterface, "default")
}

// SetDefaults_RBDVolumeSource names what Ceph sets up itself.
func SetDefaults_RBDVolumeSource(obj *corev1.RBDVolumeSource) {
	setRBD(&obj.RBDPool, &obj.RadosUser, &obj.Keyring)
}

// SetDefaults_RBDPersistentVolumeSource does the same.
func SetDefaults_RBDPersistentVolumeSource(obj *corev1.RBDPersistentVolumeSource) {
	setRBD(&obj.RBDPool, &obj.RadosUser, &obj.Keyring)
}

func setRBD(pool, user, keyring *string) {
	defaults.Value(pool, "rbd")
	defaults.Value(user, "admin")
	defaults.Value(keyring, "/etc/ceph/keyring")
}

// SetDefaults_ScaleIOVolumeSource allocates as late as possible.
func SetDefaults_ScaleIOVolumeSource(obj *corev1.ScaleIOVolumeSource) {
	defaults.Value(&obj.StorageMode, "ThinProvisioned")
	defaults.Value(&obj.FSType, "xfs")
}

// SetDefaults_ScaleIOPersistentVolumeSource does the same.
func SetDefaults_ScaleIOPersistentVolumeSource(obj *corev1.ScaleIOPersistentVolumeSource) {
	defaults.Value(&obj.StorageMode, "ThinProvisioned")
	defaults.Value(&obj.FSType, "xfs")
}

// SetDefaults_AzureDiskVolumeSource describes the disks that Azure had first.
func SetDefaults_AzureDiskVolumeSource(obj *corev1.AzureDiskVolumeSource) {
	defaults.Pointer(&obj.CachingMode, corev1.AzureDataDiskCachingReadWrite)
	defaults.Pointer(&obj.Kind, corev1.AzureSharedBlobDisk)
	defaults.Pointer(&obj.FSType, "ext4")
	defaults.Pointer(&obj.ReadOnly, false)
}
