// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package extendedresource_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/extendedresource"
	"github.com/stoa-project/stoa/apis/core"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	pod := func() *core.Pod {
		one := corev1.ResourceList{"example.com/b": resource.MustParse("1"), "cpu": resource.MustParse("1")}
		two := corev1.ResourceList{"example.com/a": resource.MustParse("1"), "hugepages-2Mi": resource.MustParse("2Mi"), "kubernetes.io/x": resource.MustParse("1")}
		return &core.Pod{Spec: corev1.PodSpec{
			Containers:     []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: one}}},
			InitContainers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: two}}},
			Tolerations:    []corev1.Toleration{{Key: "example.com/b", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule, TolerationSeconds: new(int64(1))}},
		}}
	}
	exists := func(key string) corev1.Toleration {
		return corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}
	}
	both := []corev1.Toleration{exists("example.com/b"), exists("example.com/a")}
	p := admissiontest.Start(t, extendedresource.Register, admissiontest.Plugin{})
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    []corev1.Toleration
	}{
		"create": {admissiontest.Request{Resource: pods}, both},
		"update": {admissiontest.Request{Old: pod(), Resource: pods}, both},
		"status": {admissiontest.Request{Old: pod(), Resource: pods, Subresource: "status"}, pod().Spec.Tolerations},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			obj := pod()
			tc.request.Obj = obj
			admissiontest.Check(t, p.Do(t.Context(), tc.request), "")
			if diff := cmp.Diff(tc.want, obj.Spec.Tolerations); diff != "" {
				t.Errorf("tolerations (-want +got):\n%s", diff)
			}
		})
	}
}
