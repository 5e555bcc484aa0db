// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package runtimeclass_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/runtimeclass"
	"github.com/stoa-project/stoa/apis/core"
)

func cpu(n string) corev1.ResourceList { return corev1.ResourceList{"cpu": resource.MustParse(n)} }

func pod(class string, change ...func(*corev1.PodSpec)) *core.Pod {
	out := &core.Pod{}
	if class != "" {
		out.Spec.RuntimeClassName = &class
	}
	for _, do := range change {
		do(&out.Spec)
	}
	return out
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	everything := corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpExists}
	classes := []runtime.Object{
		&nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "plain"}},
		&nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "heavy"}, Overhead: &nodev1.Overhead{PodFixed: cpu("1")}},
		&nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "placed"}, Scheduling: &nodev1.Scheduling{
			NodeSelector: map[string]string{"kind": "vm"}, Tolerations: []corev1.Toleration{everything},
		}},
	}
	overhead := func(n string) func(*corev1.PodSpec) { return func(s *corev1.PodSpec) { s.Overhead = cpu(n) } }
	selector := func(pairs map[string]string) func(*corev1.PodSpec) {
		return func(s *corev1.PodSpec) { s.NodeSelector = pairs }
	}
	tolerate := func(t ...corev1.Toleration) func(*corev1.PodSpec) {
		return func(s *corev1.PodSpec) { s.Tolerations = t }
	}
	special := corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpEqual, Value: "big", Effect: corev1.TaintEffectNoSchedule}
	other := corev1.Toleration{Key: "disk", Operator: corev1.TolerationOpExists}
	for name, tc := range map[string]struct {
		pod, want   *core.Pod
		subresource string
		err         string
	}{
		"no class":      {pod: pod(""), want: pod("")},
		"plain":         {pod: pod("plain"), want: pod("plain")},
		"overhead":      {pod: pod("heavy"), want: pod("heavy", overhead("1"))},
		"same overhead": {pod: pod("heavy", overhead("1000m")), want: pod("heavy", overhead("1"))},
		"other overhead": {pod: pod("heavy", overhead("2")), want: pod("heavy", overhead("2")),
			err: `pods "x" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead`},
		"own overhead": {pod: pod("plain", overhead("2")), want: pod("plain", overhead("2")),
			err: `pods "x" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead`},
		"overhead without class": {pod: pod("", overhead("2")), want: pod("", overhead("2")),
			err: `pods "x" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead`},
		"placed": {pod: pod("placed"), want: pod("placed", selector(map[string]string{"kind": "vm"}), tolerate(everything))},
		"merged": {pod: pod("placed", selector(map[string]string{"zone": "a"}), tolerate(other, special)),
			want: pod("placed", selector(map[string]string{"kind": "vm", "zone": "a"}), tolerate(other, everything))},
		"conflict": {pod: pod("placed", selector(map[string]string{"kind": "bare"})), want: pod("placed", selector(map[string]string{"kind": "bare"})),
			err: `pods "x" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[kind] = vm; pod.spec.nodeSelector[kind] = bare`},
		"lost":   {pod: pod("lost"), want: pod("lost"), err: `pods "x" is forbidden: pod rejected: RuntimeClass "lost" not found`},
		"status": {pod: pod("lost"), want: pod("lost"), subresource: "status"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := admissiontest.Start(t, runtimeclass.Register, admissiontest.Plugin{Objects: classes})
			pods := corev1.SchemeGroupVersion.WithResource("pods")
			admissiontest.Check(t, p.Do(t.Context(), admissiontest.Request{Obj: tc.pod, Resource: pods, Subresource: tc.subresource}), tc.err)
			if diff := cmp.Diff(tc.want, tc.pod); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
			// An update is not looked at.
			admissiontest.Check(t, p.Do(t.Context(), admissiontest.Request{Obj: pod("lost"), Old: pod("lost"), Resource: pods}), "")
		})
	}
}
