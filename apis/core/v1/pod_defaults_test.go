// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func resources(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

func TestPodResources(t *testing.T) {
	t.Parallel()
	container := corev1.Container{Name: "a", Resources: corev1.ResourceRequirements{
		Requests: resources("cpu", "1"), Limits: resources("cpu", "2", "hugepages-2Mi", "4Mi"),
	}}
	for name, test := range map[string]struct{ in, want *corev1.ResourceRequirements }{
		"none stay none": {nil, nil},
		"limits ask for what containers ask, or else for themselves": {
			&corev1.ResourceRequirements{Limits: resources("cpu", "4", "memory", "1Gi")},
			&corev1.ResourceRequirements{
				Limits:   resources("cpu", "4", "memory", "1Gi", "hugepages-2Mi", "4Mi"),
				Requests: resources("cpu", "1", "memory", "1Gi", "hugepages-2Mi", "4Mi"),
			}},
		"requests bring the huge pages of the containers": {
			&corev1.ResourceRequirements{Requests: resources("cpu", "3")},
			&corev1.ResourceRequirements{Requests: resources("cpu", "3", "hugepages-2Mi", "4Mi"), Limits: resources("hugepages-2Mi", "4Mi")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{*container.DeepCopy()}, Resources: test.in}}
			SetObjectDefaults_Pod(pod)
			if diff := cmp.Diff(test.want, pod.Spec.Resources); diff != "" {
				t.Errorf("resources (-want +got):\n%s", diff)
			}
		})
	}
}

// What the conversions of Kubernetes do, defaults do here: they run before them.
func TestPodOldAndNewNames(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"pod.beta.kubernetes.io/init-containers": "[]", "a": "b"}},
		Spec:       corev1.PodSpec{DeprecatedServiceAccount: "old", TerminationGracePeriodSeconds: new(int64(-5))},
		Status:     corev1.PodStatus{PodIP: "1.2.3.4", PodIPs: []corev1.PodIP{{IP: "1.2.3.5"}, {IP: "::1"}}},
	}
	SetObjectDefaults_Pod(pod)
	if pod.Spec.ServiceAccountName != "old" || *pod.Spec.TerminationGracePeriodSeconds != 1 || len(pod.Annotations) != 1 {
		t.Errorf("spec is %+v, annotations are %v", pod.Spec, pod.Annotations)
	}
	if diff := cmp.Diff([]corev1.PodIP{{IP: "1.2.3.4"}}, pod.Status.PodIPs); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	template := &corev1.PodTemplate{}
	template.Template.Spec.TerminationGracePeriodSeconds = new(int64(-5))
	SetObjectDefaults_PodTemplate(template)
	if *template.Template.Spec.TerminationGracePeriodSeconds != -5 {
		t.Error("the period of a template was changed")
	}
}
