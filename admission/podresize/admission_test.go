// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package podresize_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/podresize"
	"github.com/stoa-project/stoa/apis/core"
)

func list(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
}

func node(name, os string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/os": os}},
		Status:     corev1.NodeStatus{Allocatable: list("2", "1Gi")},
	}
}

// pod is one on a node, of a generation.
func pod(nodeName string, generation int64, requests corev1.ResourceList) *core.Pod {
	return &core.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x", Generation: generation}, Spec: corev1.PodSpec{
		NodeName: nodeName, Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: requests}}},
	}}
}

func with(p *core.Pod, change func(*corev1.PodSpec)) *core.Pod {
	change(&p.Spec)
	return p
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	const forbidden = `pods "x" is forbidden: `
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	old := pod("linux", 1, list("1", "1Gi"))
	p := admissiontest.Start(t, podresize.Register, admissiontest.Plugin{Objects: []runtime.Object{node("linux", "linux"), node("windows", "windows")}})
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    string
		causes  []metav1.StatusCause
	}{
		"fits": {admissiontest.Request{Obj: pod("linux", 2, list("2", "1Gi")), Old: old, Resource: pods, Subresource: "resize"}, "", nil},
		"too much CPU": {
			admissiontest.Request{Obj: pod("linux", 2, list("2100m", "1Gi")), Old: old, Resource: pods, Subresource: "resize"},
			forbidden + "Node didn't have enough allocatable resources: cpu, requested: 2100, allocatable: 2000", []metav1.StatusCause{{Type: "NodeCapacity"}},
		},
		"too much of both, on windows": {
			admissiontest.Request{Obj: pod("windows", 2, list("3", "2Gi")), Old: old, Resource: pods, Subresource: "resize"},
			forbidden + "Node didn't have enough allocatable resources: cpu, requested: 3000, allocatable: 2000; memory, requested: 2147483648, allocatable: 1073741824",
			[]metav1.StatusCause{{Type: "NodeCapacity"}},
		},
		"not on linux": {
			admissiontest.Request{Obj: pod("windows", 2, list("1", "1Gi")), Old: old, Resource: pods, Subresource: "resize"},
			forbidden + `pod resize is only supported on linux nodes, node "windows" is "windows"`, []metav1.StatusCause{{Type: "UnsupportedPlatform"}},
		},
		"with overhead": {
			admissiontest.Request{Obj: with(pod("linux", 2, list("2", "1Gi")), func(s *corev1.PodSpec) {
				s.Overhead = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m")}
			}), Old: old, Resource: pods, Subresource: "resize"},
			forbidden + "Node didn't have enough allocatable resources: cpu, requested: 2005, allocatable: 2000", []metav1.StatusCause{{Type: "NodeCapacity"}},
		},
		"overhead of what is not asked for": {
			admissiontest.Request{Obj: with(pod("linux", 2, nil), func(s *corev1.PodSpec) { s.Overhead = list("9", "9Gi") }), Old: old, Resource: pods, Subresource: "resize"}, "", nil,
		},
		"what the pod says counts, not what its containers say": {
			admissiontest.Request{Obj: with(pod("linux", 2, list("9", "9Gi")), func(s *corev1.PodSpec) {
				s.Resources = &corev1.ResourceRequirements{Requests: list("2", "1Gi")}
			}), Old: old, Resource: pods, Subresource: "resize"}, "", nil,
		},
		"no such node": {
			admissiontest.Request{Obj: pod("gone", 2, nil), Old: old, Resource: pods, Subresource: "resize"}, forbidden + `node "gone" not found`, nil,
		},
		"not on a node":    {admissiontest.Request{Obj: pod("", 2, list("9", "9Gi")), Old: old, Resource: pods, Subresource: "resize"}, "", nil},
		"nothing changes":  {admissiontest.Request{Obj: pod("linux", 1, list("9", "9Gi")), Old: old, Resource: pods, Subresource: "resize"}, "", nil},
		"the pod itself":   {admissiontest.Request{Obj: pod("linux", 2, list("9", "9Gi")), Old: old, Resource: pods}, "", nil},
		"its status":       {admissiontest.Request{Obj: pod("linux", 2, list("9", "9Gi")), Old: old, Resource: pods, Subresource: "status"}, "", nil},
		"another resource": {admissiontest.Request{Obj: pod("linux", 2, list("9", "9Gi")), Old: old, Resource: corev1.SchemeGroupVersion.WithResource("nodes"), Subresource: "resize"}, "", nil},
		"dry run":          {admissiontest.Request{Obj: pod("gone", 2, nil), Old: old, Resource: pods, Subresource: "resize", DryRun: true}, forbidden + `node "gone" not found`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := p.Do(t.Context(), tc.request)
			admissiontest.Check(t, err, tc.want)
			var causes []metav1.StatusCause
			if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
				causes = status.ErrStatus.Details.Causes
			}
			if diff := cmp.Diff(tc.causes, causes); diff != "" {
				t.Errorf("causes (-want +got):\n%s", diff)
			}
		})
	}
}

// What cannot be judged is refused.
func TestErrors(t *testing.T) {
	t.Parallel()
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	p := admissiontest.Start(t, podresize.Register, admissiontest.Plugin{})
	p.Client().PrependReactor("get", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("away") })
	for want, request := range map[string]admissiontest.Request{
		`pods "x" is forbidden: failed to get node "n": away`: {Obj: pod("n", 2, nil), Old: pod("n", 1, nil)},
		"expected a pod but got a *core.Node":                 {Obj: &core.Node{}, Old: pod("n", 1, nil)},
		"expected an old pod but got a *core.Node":            {Obj: pod("n", 2, nil), Old: &core.Node{}},
	} {
		request.Resource, request.Subresource = pods, "resize"
		if err := p.Do(t.Context(), request); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
