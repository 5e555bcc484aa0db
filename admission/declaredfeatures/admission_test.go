// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package declaredfeatures_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/declaredfeatures"
	"github.com/stoa-project/stoa/apis/core"
)

// pod is one on a node, of a generation, which asks for CPU as a whole.
func pod(nodeName string, generation int64, cpu string) *core.Pod {
	return &core.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x", Generation: generation}, Spec: corev1.PodSpec{
		NodeName: nodeName, Resources: &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}},
	}}
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	const refused = `pods "x" is forbidden: pod update requires features InPlacePodLevelResourcesVerticalScaling which are not available on node "old"`
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	before := pod("old", 1, "1")
	p := admissiontest.Start(t, declaredfeatures.Register, admissiontest.Plugin{Objects: []runtime.Object{
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "old"}, Status: corev1.NodeStatus{DeclaredFeatures: []string{"Other"}}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "new"}, Status: corev1.NodeStatus{DeclaredFeatures: []string{"InPlacePodLevelResourcesVerticalScaling"}}},
	}})
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    string
	}{
		"the node can":         {admissiontest.Request{Obj: pod("new", 2, "2"), Old: before, Resource: pods, Subresource: "resize"}, ""},
		"the node cannot":      {admissiontest.Request{Obj: pod("old", 2, "2"), Old: before, Resource: pods, Subresource: "resize"}, refused},
		"the pod itself":       {admissiontest.Request{Obj: pod("old", 2, "2"), Old: before, Resource: pods}, refused},
		"dry run":              {admissiontest.Request{Obj: pod("old", 2, "2"), Old: before, Resource: pods, DryRun: true}, refused},
		"no such node":         {admissiontest.Request{Obj: pod("gone", 2, "2"), Old: before, Resource: pods}, `pods "x" is forbidden: node "gone" not found`},
		"nothing is demanded":  {admissiontest.Request{Obj: pod("gone", 2, "1"), Old: before, Resource: pods}, ""},
		"nothing changes":      {admissiontest.Request{Obj: pod("old", 1, "2"), Old: before, Resource: pods}, ""},
		"not on a node":        {admissiontest.Request{Obj: pod("", 2, "2"), Old: before, Resource: pods}, ""},
		"status":               {admissiontest.Request{Obj: pod("old", 2, "2"), Old: before, Resource: pods, Subresource: "status"}, ""},
		"ephemeral containers": {admissiontest.Request{Obj: pod("old", 2, "2"), Old: before, Resource: pods, Subresource: "ephemeralcontainers"}, ""},
		"creation":             {admissiontest.Request{Obj: pod("old", 2, "2"), Resource: pods}, ""},
		"another resource":     {admissiontest.Request{Obj: pod("old", 2, "2"), Old: before, Resource: corev1.SchemeGroupVersion.WithResource("podtemplates")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admissiontest.Check(t, p.Do(t.Context(), tc.request), tc.want)
		})
	}
}
