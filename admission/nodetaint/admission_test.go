// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package nodetaint_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/nodetaint"
	"github.com/stoa-project/stoa/apis/core"
)

// admit sends a request through the plugin, as the server does.
func admit(t *testing.T, obj runtime.Object, resource schema.GroupVersionResource, subresource string, operation admission.Operation) error {
	t.Helper()
	plugins := admission.NewPlugins()
	nodetaint.Register(plugins)
	plugin, err := plugins.InitPlugin("TaintNodesByCondition", nil, admission.PluginInitializers{})
	if err != nil {
		t.Fatal(err)
	}
	if !plugin.Handles(operation) {
		return nil
	}
	return plugin.(admission.MutationInterface).Admit(t.Context(), admission.NewAttributesRecord(obj, nil, schema.GroupVersionKind{}, "", "a",
		resource, subresource, operation, nil, false, nil), nil)
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	nodes := corev1.SchemeGroupVersion.WithResource("nodes")
	mine := corev1.Taint{Key: "mine", Effect: corev1.TaintEffectNoExecute}
	notReady := corev1.Taint{Key: "node.kubernetes.io/not-ready", Effect: "NoSchedule"}
	for name, tc := range map[string]struct {
		taints      []corev1.Taint
		resource    schema.GroupVersionResource
		subresource string
		operation   admission.Operation
		want        []corev1.Taint
	}{
		"no taint":     {resource: nodes, operation: admission.Create, want: []corev1.Taint{notReady}},
		"others stay":  {taints: []corev1.Taint{mine}, resource: nodes, operation: admission.Create, want: []corev1.Taint{mine, notReady}},
		"it is there":  {taints: []corev1.Taint{notReady, mine}, resource: nodes, operation: admission.Create, want: []corev1.Taint{notReady, mine}},
		"with a value": {taints: []corev1.Taint{{Key: notReady.Key, Value: "v", Effect: "NoSchedule"}}, resource: nodes, operation: admission.Create, want: []corev1.Taint{{Key: notReady.Key, Value: "v", Effect: "NoSchedule"}}},
		"another effect": {taints: []corev1.Taint{{Key: notReady.Key, Effect: "NoExecute"}}, resource: nodes, operation: admission.Create,
			want: []corev1.Taint{{Key: notReady.Key, Effect: "NoExecute"}, notReady}},
		"update":                   {resource: nodes, operation: admission.Update},
		"subresource":              {resource: nodes, subresource: "status", operation: admission.Create},
		"the name in other groups": {resource: schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "nodes"}, operation: admission.Create},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := &core.Node{Spec: corev1.NodeSpec{Taints: tc.taints}}
			if err := admit(t, node, tc.resource, tc.subresource, tc.operation); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, node.Spec.Taints); diff != "" {
				t.Errorf("taints (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOthers(t *testing.T) {
	t.Parallel()
	if err := admit(t, &core.Pod{}, corev1.SchemeGroupVersion.WithResource("pods"), "", admission.Create); err != nil {
		t.Errorf("pod: %v", err)
	}
	err := admit(t, &core.Pod{}, corev1.SchemeGroupVersion.WithResource("nodes"), "", admission.Create)
	if want := "resource was marked with kind Node but was unable to be converted: *core.Pod"; !apierrors.IsBadRequest(err) || err.Error() != want {
		t.Errorf("got %v, want bad request: %s", err, want)
	}
}
