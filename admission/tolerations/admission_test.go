// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tolerations_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/tolerations"
	"github.com/stoa-project/stoa/apis/core"
)

// admit sends a request through a plugin whose seconds a flag has changed after it was
// registered.
func admit(t *testing.T, obj runtime.Object, resource schema.GroupVersionResource, subresource string, operation admission.Operation) error {
	t.Helper()
	plugins := admission.NewPlugins()
	seconds := tolerations.DefaultSeconds()
	tolerations.Register(plugins, seconds)
	seconds.Unreachable = 60
	plugin, err := plugins.InitPlugin("DefaultTolerationSeconds", nil, admission.PluginInitializers{})
	if err != nil {
		t.Fatal(err)
	}
	if !plugin.Handles(operation) {
		return nil
	}
	return plugin.(admission.MutationInterface).Admit(t.Context(), admission.NewAttributesRecord(obj, nil, schema.GroupVersionKind{}, "n", "p",
		resource, subresource, operation, nil, false, nil), nil)
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	type list = []corev1.Toleration
	const notReady, unreachable = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	addedNotReady := corev1.Toleration{Key: notReady, Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(300))}
	addedUnreachable := corev1.Toleration{Key: unreachable, Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(60))}
	mine := corev1.Toleration{Key: "mine", Operator: "Exists"}
	short := corev1.Toleration{Key: notReady, Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(1))}
	anyEffect := corev1.Toleration{Key: unreachable, Operator: "Exists"}
	everything := corev1.Toleration{Operator: "Exists"}
	noSchedule := corev1.Toleration{Key: notReady, Operator: "Exists", Effect: "NoSchedule"}
	for name, tc := range map[string]struct {
		given       list
		resource    schema.GroupVersionResource
		subresource string
		operation   admission.Operation
		want        list
	}{
		"none":                     {resource: pods, operation: admission.Create, want: list{addedNotReady, addedUnreachable}},
		"others stay":              {given: list{mine}, resource: pods, operation: admission.Create, want: list{mine, addedNotReady, addedUnreachable}},
		"its own time":             {given: list{short}, resource: pods, operation: admission.Create, want: list{short, addedUnreachable}},
		"any effect":               {given: list{anyEffect}, resource: pods, operation: admission.Create, want: list{anyEffect, addedNotReady}},
		"everything":               {given: list{everything}, resource: pods, operation: admission.Create, want: list{everything}},
		"another effect":           {given: list{noSchedule}, resource: pods, operation: admission.Create, want: list{noSchedule, addedNotReady, addedUnreachable}},
		"update":                   {given: list{short}, resource: pods, operation: admission.Update, want: list{short, addedUnreachable}},
		"update of what it made":   {given: list{addedNotReady, addedUnreachable}, resource: pods, operation: admission.Update, want: list{addedNotReady, addedUnreachable}},
		"delete":                   {resource: pods, operation: admission.Delete},
		"subresource":              {resource: pods, subresource: "status", operation: admission.Update},
		"the name in other groups": {resource: schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "pods"}, operation: admission.Create},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := &core.Pod{Spec: corev1.PodSpec{Tolerations: tc.given}}
			if err := admit(t, pod, tc.resource, tc.subresource, tc.operation); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, pod.Spec.Tolerations); diff != "" {
				t.Errorf("tolerations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOthers(t *testing.T) {
	t.Parallel()
	if err := admit(t, &core.Node{}, corev1.SchemeGroupVersion.WithResource("nodes"), "", admission.Create); err != nil {
		t.Errorf("node: %v", err)
	}
	err := admit(t, &core.Node{}, corev1.SchemeGroupVersion.WithResource("pods"), "", admission.Create)
	if want := "expected *core.Pod but got *core.Node"; !apierrors.IsBadRequest(err) || err.Error() != want {
		t.Errorf("got %v, want bad request: %s", err, want)
	}
}

func TestDefaultSeconds(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(&tolerations.Seconds{NotReady: 300, Unreachable: 300}, tolerations.DefaultSeconds()); diff != "" {
		t.Errorf("seconds (-want +got):\n%s", diff)
	}
}
