// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
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
	setPtr(&obj.Type, corev1.HostPathUnset)
}

// SetDefaults_SecretVolumeSource lets everyone read the files.
func SetDefaults_SecretVolumeSource(obj *corev1.SecretVolumeSource) {
	setPtr(&obj.DefaultMode, corev1.SecretVolumeSourceDefaultMode)
}

// SetDefaults_ConfigMapVolumeSource lets everyone read the files.
func SetDefaults_ConfigMapVolumeSource(obj *corev1.ConfigMapVolumeSource) {
	setPtr(&obj.DefaultMode, corev1.ConfigMapVolumeSourceDefaultMode)
}

// SetDefaults_DownwardAPIVolumeSource lets everyone read the files.
func SetDefaults_DownwardAPIVolumeSource(obj *corev1.DownwardAPIVolumeSource) {
	setPtr(&obj.DefaultMode, corev1.DownwardAPIVolumeSourceDefaultMode)
}

// SetDefaults_ProjectedVolumeSource lets everyone read the files.
func SetDefaults_ProjectedVolumeSource(obj *corev1.ProjectedVolumeSource) {
	setPtr(&obj.DefaultMode, corev1.ProjectedVolumeSourceDefaultMode)
}

// SetDefaults_ServiceAccountTokenProjection lets tokens live for an hour.
func SetDefaults_ServiceAccountTokenProjection(obj *corev1.ServiceAccountTokenProjection) {
	setPtr(&obj.ExpirationSeconds, int64(60*60))
}

// SetDefaults_ISCSIVolumeSource uses the interface that comes with every initiator.
func SetDefaults_ISCSIVolumeSource(obj *corev1.ISCSIVolumeSource) {
	setZero(&obj.ISCSIInterface, "default")
}

// SetDefaults_ISCSIPersistentVolumeSource does the same.
func SetDefaults_ISCSIPersistentVolumeSource(obj *corev1.ISCSIPersistentVolumeSource) {
	setZero(&obj.ISCSIInterface, "default")
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
	setZero(pool, "rbd")
	setZero(user, "admin")
	setZero(keyring, "/etc/ceph/keyring")
}

// SetDefaults_ScaleIOVolumeSource allocates as late as possible.
func SetDefaults_ScaleIOVolumeSource(obj *corev1.ScaleIOVolumeSource) {
	setZero(&obj.StorageMode, "ThinProvisioned")
	setZero(&obj.FSType, "xfs")
}

// SetDefaults_ScaleIOPersistentVolumeSource does the same.
func SetDefaults_ScaleIOPersistentVolumeSource(obj *corev1.ScaleIOPersistentVolumeSource) {
	setZero(&obj.StorageMode, "ThinProvisioned")
	setZero(&obj.FSType, "xfs")
}

// SetDefaults_AzureDiskVolumeSource describes the disks that Azure had first.
func SetDefaults_AzureDiskVolumeSource(obj *corev1.AzureDiskVolumeSource) {
	setPtr(&obj.CachingMode, corev1.AzureDataDiskCachingReadWrite)
	setPtr(&obj.Kind, corev1.AzureSharedBlobDisk)
	setPtr(&obj.FSType, "ext4")
	setPtr(&obj.ReadOnly, false)
}

func setPtr[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

func setZero[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}
