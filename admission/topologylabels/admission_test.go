// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package topologylabels_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/topologylabels"
	"github.com/stoa-project/stoa/apis/core"
)

type set = map[string]string

func node(labels set) []runtime.Object {
	return []runtime.Object{&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: labels}}}
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	const zone, region = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
	both := node(set{zone: "z", region: "r", "other": "o"})
	bind := func(kind, name string) *core.Binding {
		return &core.Binding{Target: corev1.ObjectReference{Kind: kind, Name: name}}
	}
	pod := func(nodeName string, labels set) *core.Pod {
		return &core.Pod{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{NodeName: nodeName}}
	}
	for name, tc := range map[string]struct {
		nodes    []runtime.Object
		obj, old runtime.Object
		resource string
		path     string
		off      bool
		want     set
	}{
		"binding":                   {nodes: both, obj: bind("Node", "n1"), path: "binding", want: set{zone: "z", region: "r"}},
		"binding to something else": {nodes: both, obj: bind("Thing", "n1"), path: "binding"},
		"pod of a node":             {nodes: both, obj: pod("n1", nil), want: set{zone: "z", region: "r"}},
		"in place of its own":       {nodes: both, obj: pod("n1", set{zone: "mine", "a": "b"}), want: set{zone: "z", region: "r", "a": "b"}},
		"only one label":            {nodes: node(set{zone: "z"}), obj: pod("n1", nil), want: set{zone: "z"}},
		"no label":                  {nodes: node(nil), obj: pod("n1", nil)},
		"no node yet":               {nodes: both, obj: pod("", nil)},
		"unknown node":              {nodes: both, obj: pod("n2", nil)},
		"update":                    {nodes: both, obj: pod("n1", nil), old: pod("n1", nil)},
		"other subresource":         {nodes: both, obj: pod("n1", nil), path: "eviction"},
		"other resource":            {nodes: both, obj: pod("n1", nil), resource: "podtemplates"},
		"gate off":                  {nodes: both, obj: pod("n1", nil), off: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gates := utilfeature.DefaultMutableFeatureGate.DeepCopy()
			if tc.off {
				if err := gates.Set("PodTopologyLabelsAdmission=false"); err != nil {
					t.Fatal(err)
				}
			}
			if tc.resource == "" {
				tc.resource = "pods"
			}
			p := admissiontest.Start(t, topologylabels.Register, admissiontest.Plugin{Objects: tc.nodes, Gates: gates})
			admissiontest.Check(t, p.Do(t.Context(), admissiontest.Request{
				Obj: tc.obj, Old: tc.old, Resource: corev1.SchemeGroupVersion.WithResource(tc.resource), Subresource: tc.path,
			}), "")
			if diff := cmp.Diff(tc.want, tc.obj.(metav1.Object).GetLabels()); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	p := admissiontest.Start(t, topologylabels.Register, admissiontest.Plugin{})
	p.Client().PrependReactor("get", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("away") })
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	for want, request := range map[string]admissiontest.Request{
		"away":                            {Obj: &core.Pod{Spec: corev1.PodSpec{NodeName: "n1"}}},
		"expected Pod but got *core.Node": {Obj: &core.Node{}},
		"expected Binding but got Node":   {Obj: &core.Node{}, Subresource: "binding", Kind: corev1.SchemeGroupVersion.WithKind("Node")},
	} {
		request.Resource = pods
		if err := p.Do(t.Context(), request); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
