// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package volumeresize_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/volumeresize"
	"github.com/stoa-project/stoa/apis/core"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	const unbound = `persistentvolumeclaims "x" is forbidden: Only bound persistent volume claims can be expanded`
	const refused = `persistentvolumeclaims "x" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize`
	p := admissiontest.Start(t, volumeresize.Register, admissiontest.Plugin{Objects: []runtime.Object{
		&storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "grows"}, AllowVolumeExpansion: new(true)},
		&storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "not"}, AllowVolumeExpansion: new(false)},
		&storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "silent"}},
	}})
	claim := func(class, size string, phase corev1.PersistentVolumeClaimPhase) *core.PersistentVolumeClaim {
		return &core.PersistentVolumeClaim{
			Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &class, Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)},
			}},
			Status: corev1.PersistentVolumeClaimStatus{Phase: phase},
		}
	}
	const bound = corev1.ClaimBound
	for name, tc := range map[string]struct {
		obj, old    *core.PersistentVolumeClaim
		subresource string
		want        string
	}{
		"grows":         {claim("grows", "2Gi", bound), claim("grows", "1Gi", bound), "", ""},
		"stays":         {claim("not", "1Gi", bound), claim("not", "1024Mi", bound), "", ""},
		"shrinks":       {claim("not", "1Gi", bound), claim("not", "2Gi", bound), "", ""},
		"not bound":     {claim("grows", "2Gi", bound), claim("grows", "1Gi", corev1.ClaimPending), "", unbound},
		"class forbids": {claim("not", "2Gi", bound), claim("not", "1Gi", bound), "", refused},
		"class silent":  {claim("silent", "2Gi", bound), claim("silent", "1Gi", bound), "", refused},
		"no such class": {claim("gone", "2Gi", bound), claim("gone", "1Gi", bound), "", refused},
		"no class":      {claim("", "2Gi", bound), claim("", "1Gi", bound), "", refused},
		"another class": {claim("grows", "2Gi", bound), claim("silent", "1Gi", bound), "", refused},
		"status":        {claim("not", "2Gi", bound), claim("not", "1Gi", bound), "status", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admissiontest.Check(t, p.Do(t.Context(), admissiontest.Request{
				Obj: tc.obj, Old: tc.old, Resource: corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims"), Subresource: tc.subresource,
			}), tc.want)
		})
	}
}
