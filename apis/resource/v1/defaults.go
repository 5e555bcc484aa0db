// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"time"

	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SetDefaults_ExactDeviceRequest asks for one device.
func SetDefaults_ExactDeviceRequest(obj *resourcev1.ExactDeviceRequest) {
	obj.AllocationMode, obj.Count = oneDevice(obj.AllocationMode, obj.Count)
}

// SetDefaults_DeviceSubRequest asks for one device.
func SetDefaults_DeviceSubRequest(obj *resourcev1.DeviceSubRequest) {
	obj.AllocationMode, obj.Count = oneDevice(obj.AllocationMode, obj.Count)
}

func oneDevice(mode resourcev1.DeviceAllocationMode, count int64) (resourcev1.DeviceAllocationMode, int64) {
	if mode == "" {
		mode = resourcev1.DeviceAllocationModeExactCount
	}
	if mode == resourcev1.DeviceAllocationModeExactCount && count == 0 {
		count = 1
	}
	return mode, count
}

// SetDefaults_DeviceTaint says since when there is a taint, in the resolution that
// is stored.
func SetDefaults_DeviceTaint(obj *resourcev1.DeviceTaint) {
	if obj.TimeAdded == nil {
		obj.TimeAdded = &metav1.Time{Time: time.Now().Truncate(time.Second)}
	}
}
