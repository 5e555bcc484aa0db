// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package execdenial_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/execdenial"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	const refused = `pods "x" is forbidden: cannot exec into or attach to a `
	privileged, not := &corev1.SecurityContext{Privileged: new(true)}, &corev1.SecurityContext{Privileged: new(false)}
	for name, tc := range map[string]struct {
		spec     corev1.PodSpec
		resource string
		path     string
		missing  bool
		want     string
	}{
		"plain": {path: "exec", spec: corev1.PodSpec{
			Containers: []corev1.Container{{SecurityContext: not}, {SecurityContext: &corev1.SecurityContext{}}, {}}, EphemeralContainers: []corev1.EphemeralContainer{{}},
		}},
		"host network":         {path: "exec", spec: corev1.PodSpec{HostNetwork: true}, want: refused + "container using host network"},
		"host pid":             {path: "exec", spec: corev1.PodSpec{HostPID: true}, want: refused + "container using host pid"},
		"host ipc":             {path: "attach", spec: corev1.PodSpec{HostIPC: true}, want: refused + "container using host ipc"},
		"privileged":           {path: "attach", spec: corev1.PodSpec{Containers: []corev1.Container{{}, {SecurityContext: privileged}}}, want: refused + "privileged container"},
		"privileged init":      {path: "exec", spec: corev1.PodSpec{InitContainers: []corev1.Container{{SecurityContext: privileged}}}, want: refused + "privileged container"},
		"privileged ephemeral": {path: "exec", spec: corev1.PodSpec{EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{SecurityContext: privileged}}}}, want: refused + "privileged container"},
		"port-forward":         {path: "portforward", spec: corev1.PodSpec{HostPID: true}},
		"another resource":     {resource: "services", path: "exec", spec: corev1.PodSpec{HostPID: true}},
		"no such pod":          {path: "exec", missing: true, want: `pods "x" is forbidden: pods "x" not found`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.resource == "" {
				tc.resource = "pods"
			}
			objects := []runtime.Object{&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "x"}, Spec: tc.spec}}
			if tc.missing {
				objects = nil
			}
			p := admissiontest.Start(t, execdenial.Register, admissiontest.Plugin{Objects: objects})
			request := admissiontest.Request{
				Obj: &corev1.PodExecOptions{}, Resource: corev1.SchemeGroupVersion.WithResource(tc.resource), Subresource: tc.path, Operation: "CONNECT",
			}
			admissiontest.Check(t, p.Do(t.Context(), request), tc.want)
			request.Operation = "" // a write
			admissiontest.Check(t, p.Do(t.Context(), request), "")
		})
	}
}
