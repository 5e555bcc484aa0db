// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package limitranger_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/limitranger"
	"github.com/stoa-project/stoa/apis/core"
)

func list(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

func limits(items ...corev1.LimitRangeItem) *corev1.LimitRange {
	return &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "l"}, Spec: corev1.LimitRangeSpec{Limits: items}}
}

func container(name string, requests, limits corev1.ResourceList) corev1.Container {
	return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: requests, Limits: limits}}
}

func pod(containers ...corev1.Container) *core.Pod {
	return &core.Pod{Spec: corev1.PodSpec{Containers: containers}}
}

func claim(requests corev1.ResourceList) *core.PersistentVolumeClaim {
	return &core.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{Requests: requests}}}
}

// Containers get what they do not name, and the pod says so.
func TestDefaults(t *testing.T) {
	t.Parallel()
	p := admissiontest.Start(t, limitranger.Register, admissiontest.Plugin{Objects: []runtime.Object{limits(
		corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, DefaultRequest: list("cpu", "1", "memory", "1Mi"), Default: list("cpu", "2")},
		corev1.LimitRangeItem{Type: corev1.LimitTypePod, Default: list("memory", "1Gi")},
	)}})
	got := pod(container("a", nil, nil), container("b", list("cpu", "100m"), list("cpu", "200m")))
	got.Spec.InitContainers = []corev1.Container{container("i", list("memory", "2Mi"), nil)}
	if err := p.Do(t.Context(), admissiontest.Request{Obj: got, Resource: corev1.SchemeGroupVersion.WithResource("pods")}); err != nil {
		t.Fatal(err)
	}
	want := pod(container("a", list("cpu", "1", "memory", "1Mi"), list("cpu", "2")), container("b", list("cpu", "100m", "memory", "1Mi"), list("cpu", "200m")))
	want.Spec.InitContainers = []corev1.Container{container("i", list("cpu", "1", "memory", "2Mi"), list("cpu", "2"))}
	want.Annotations = map[string]string{"kubernetes.io/limit-ranger": "LimitRanger plugin set: cpu, memory request for container a; cpu limit for container a; " +
		"memory request for container b; cpu request for init container i; cpu limit for init container i"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pod (-want +got):\n%s", diff)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	sidecar := container("s", list("cpu", "1"), list("cpu", "1"))
	sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	withSidecar := pod(container("c", list("cpu", "1"), list("cpu", "1")))
	withSidecar.Spec.InitContainers = []corev1.Container{container("i", list("cpu", "1500m"), list("cpu", "1500m")), sidecar}
	each := corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Min: list("cpu", "100m"), Max: list("cpu", "2"), MaxLimitRequestRatio: list("cpu", "2")}
	whole := corev1.LimitRangeItem{Type: corev1.LimitTypePod, Min: list("cpu", "1"), Max: list("cpu", "2")}
	size := corev1.LimitRangeItem{Type: corev1.LimitTypePersistentVolumeClaim, Min: list("storage", "2Gi"), Max: list("storage", "4Gi")}
	for name, tc := range map[string]struct {
		obj  runtime.Object
		item corev1.LimitRangeItem
		want string
	}{
		"within":         {pod(container("c", list("cpu", "1"), list("cpu", "2"))), each, ""},
		"says nothing":   {pod(container("c", nil, nil)), each, "[minimum cpu usage per Container is 100m.  No request is specified, maximum cpu usage per Container is 2.  No limit is specified, cpu max limit to request ratio per Container is 2, but no request is specified or request is 0]"},
		"too little":     {pod(container("c", list("cpu", "50m"), list("cpu", "100m"))), each, "minimum cpu usage per Container is 100m, but request is 50m"},
		"limit too low":  {pod(container("c", list("cpu", "100m"), list("cpu", "90m"))), each, "minimum cpu usage per Container is 100m, but limit is 90m"},
		"too much":       {pod(container("c", list("cpu", "2"), list("cpu", "3"))), each, "maximum cpu usage per Container is 2, but limit is 3"},
		"request beyond": {pod(container("c", list("cpu", "3"), list("cpu", "2"))), each, "maximum cpu usage per Container is 2, but request is 3"},
		"too far apart":  {pod(container("c", list("cpu", "200m"), list("cpu", "500m"))), each, "cpu max limit to request ratio per Container is 2, but provided ratio is 2.500000"},
		"far more": {pod(container("c", list("cpu", "1"), list("cpu", "20000000000000000000"))), each,
			"[maximum cpu usage per Container is 2, but limit is 20E, cpu max limit to request ratio per Container is 2, but provided ratio is 20000000000000000000.000000]"},
		"together":          {pod(container("a", list("cpu", "1"), list("cpu", "1")), container("b", list("cpu", "1"), list("cpu", "1"))), whole, ""},
		"together too much": {pod(container("a", list("cpu", "1"), list("cpu", "2")), container("b", list("cpu", "1"), list("cpu", "1"))), whole, "maximum cpu usage per Pod is 2, but limit is 3"},
		"with sidecar":      {withSidecar, whole, ""},
		"claim":             {claim(list("storage", "3Gi")), size, ""},
		"small claim":       {claim(list("storage", "1Gi")), size, "minimum storage usage per PersistentVolumeClaim is 2Gi, but request is 1Gi"},
		"big claim":         {claim(list("storage", "5Gi")), size, "maximum storage usage per PersistentVolumeClaim is 4Gi, but request is 5Gi"},
		"claim of nothing":  {claim(nil), size, "[minimum storage usage per PersistentVolumeClaim is 2Gi.  No request is specified, maximum storage usage per PersistentVolumeClaim is 4Gi.  No request is specified]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := admissiontest.Start(t, limitranger.Register, admissiontest.Plugin{Objects: []runtime.Object{limits(tc.item)}})
			kind := "pods"
			if _, ok := tc.obj.(*core.PersistentVolumeClaim); ok {
				kind = "persistentvolumeclaims"
			}
			want := ""
			if tc.want != "" {
				want = fmt.Sprintf("%s \"x\" is forbidden: %s", kind, tc.want)
			}
			admissiontest.Check(t, p.Do(t.Context(), admissiontest.Request{Obj: tc.obj, Resource: corev1.SchemeGroupVersion.WithResource(kind)}), want)
		})
	}
}

// What of a pod is looked at again when it changes.
func TestUpdates(t *testing.T) {
	t.Parallel()
	p := admissiontest.Start(t, limitranger.Register, admissiontest.Plugin{Objects: []runtime.Object{limits(
		corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Max: list("cpu", "1")},
		corev1.LimitRangeItem{Type: corev1.LimitTypePersistentVolumeClaim, Max: list("storage", "1Gi")},
	)}})
	pods, claims := corev1.SchemeGroupVersion.WithResource("pods"), corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
	big, large := pod(container("c", list("cpu", "2"), list("cpu", "2"))), claim(list("storage", "2Gi"))
	going := big.DeepCopy()
	going.DeletionTimestamp = &metav1.Time{}
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    string
	}{
		"update":        {admissiontest.Request{Obj: big, Old: big, Resource: pods}, ""},
		"status":        {admissiontest.Request{Obj: big, Old: big, Resource: pods, Subresource: "status"}, ""},
		"resize":        {admissiontest.Request{Obj: big, Old: big, Resource: pods, Subresource: "resize"}, `pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 2`},
		"deleted":       {admissiontest.Request{Obj: big, Old: going, Resource: pods, Subresource: "resize"}, ""},
		"binding":       {admissiontest.Request{Obj: &core.Binding{}, Resource: pods, Subresource: "binding"}, ""},
		"claim":         {admissiontest.Request{Obj: large, Old: large, Resource: claims}, `persistentvolumeclaims "x" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi`},
		"claim, status": {admissiontest.Request{Obj: large, Old: large, Resource: claims, Subresource: "status"}, ""},
		"other kind":    {admissiontest.Request{Obj: &core.Service{}, Resource: corev1.SchemeGroupVersion.WithResource("services")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admissiontest.Check(t, p.Do(t.Context(), tc.request), tc.want)
		})
	}
}

// A namespace of which the informer has nothing is looked up, once.
func TestLookup(t *testing.T) {
	t.Parallel()
	p := admissiontest.Start(t, limitranger.Register, admissiontest.Plugin{})
	asked := func() int {
		n := 0
		for _, action := range p.Client().Actions() {
			if action.Matches("list", "limitranges") && action.GetNamespace() == "n" {
				n++
			}
		}
		return n
	}
	for range 3 {
		err := p.Do(t.Context(), admissiontest.Request{Obj: pod(container("c", nil, nil)), Resource: corev1.SchemeGroupVersion.WithResource("pods")})
		if err != nil || apierrors.IsForbidden(err) {
			t.Fatal(err)
		}
	}
	if n := asked(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}
