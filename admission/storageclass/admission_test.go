// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storageclass_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/storageclass"
	"github.com/stoa-project/stoa/apis/core"
)

const mark = "storageclass.kubernetes.io/is-default-class"

func class(name, mark string, age time.Duration) runtime.Object {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{
		Name: name, Annotations: map[string]string{mark: "true"}, CreationTimestamp: metav1.NewTime(time.Unix(1e9, 0).Add(-age)),
	}}
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	claims := corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
	plain := &core.PersistentVolumeClaim{}
	none, annotated := plain.DeepCopy(), plain.DeepCopy()
	none.Spec.StorageClassName = new("")
	annotated.Annotations = map[string]string{"volume.beta.kubernetes.io/storage-class": "old"}
	usual := []runtime.Object{class("usual", mark, 0), class("other", "is-default-class", 0)}
	for name, tc := range map[string]struct {
		classes []runtime.Object
		request admissiontest.Request
		want    *string
	}{
		"default":          {usual, admissiontest.Request{Obj: plain, Resource: claims}, new("usual")},
		"beta mark":        {[]runtime.Object{class("beta", "storageclass.beta.kubernetes.io/is-default-class", 0)}, admissiontest.Request{Obj: plain, Resource: claims}, new("beta")},
		"the newest":       {[]runtime.Object{class("a", mark, time.Hour), class("b", mark, time.Minute)}, admissiontest.Request{Obj: plain, Resource: claims}, new("b")},
		"first of a day":   {[]runtime.Object{class("b", mark, 0), class("a", mark, 0)}, admissiontest.Request{Obj: plain, Resource: claims}, new("a")},
		"no default":       {nil, admissiontest.Request{Obj: plain, Resource: claims}, nil},
		"none, on purpose": {usual, admissiontest.Request{Obj: none, Resource: claims}, new("")},
		"annotated":        {usual, admissiontest.Request{Obj: annotated, Resource: claims}, nil},
		"update":           {usual, admissiontest.Request{Obj: plain, Old: plain, Resource: claims}, nil},
		"status":           {usual, admissiontest.Request{Obj: plain, Resource: claims, Subresource: "status"}, nil},
		"another resource": {usual, admissiontest.Request{Obj: plain, Resource: corev1.SchemeGroupVersion.WithResource("pods")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.request.Obj = tc.request.Obj.DeepCopyObject()
			admissiontest.Check(t, admissiontest.Start(t, storageclass.Register, admissiontest.Plugin{Objects: tc.classes}).Do(t.Context(), tc.request), "")
			got := tc.request.Obj.(*core.PersistentVolumeClaim).Spec.StorageClassName
			if (got == nil) != (tc.want == nil) || got != nil && *got != *tc.want {
				t.Errorf("class %v, want %v", got, tc.want)
			}
		})
	}
}
