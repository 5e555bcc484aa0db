// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package podsecurity

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/version/effective"
)

func labels(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		out["pod-security.kubernetes.io/"+pairs[i]] = pairs[i+1]
	}
	return out
}

func namespace(labels map[string]string) *core.Namespace {
	return &core.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: labels}}
}

// started returns a plugin that knows the namespaces and pods.
func started(t *testing.T, config string, objects ...runtime.Object) *plugin {
	t.Helper()
	p, err := newPlugin(strings.NewReader(config))
	if err != nil {
		t.Fatal(err)
	}
	client := fake.NewClientset(objects...)
	p.SetExternalKubeClientSet(client)
	p.SetExternalKubeInformerFactory(informers.NewSharedInformerFactory(client, 0))
	p.InspectEffectiveVersion(effective.New())
	if err := p.ValidateInitialization(); err != nil {
		t.Fatal(err)
	}
	return p
}

type warnings []string

func (w *warnings) AddWarning(_, text string) { *w = append(*w, text) }

func TestValidate(t *testing.T) {
	t.Parallel()
	hostile := corev1.PodSpec{HostNetwork: true, Containers: []corev1.Container{{Name: "c"}}}
	pod := &core.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: hostile}
	deployment := &apps.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "d"}, Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: hostile}}}
	const text = `would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)`
	const refused = `violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)`
	for name, tc := range map[string]struct {
		config   string
		labels   map[string]string
		resource string
		obj, old runtime.Object
		want     string
		code     int32
		warnings warnings
	}{
		"no labels":           {resource: "pods", obj: pod},
		"enforced":            {labels: labels("enforce", "baseline"), resource: "pods", obj: pod, want: `pods "p" is forbidden: ` + refused, code: http.StatusForbidden},
		"enforced by default": {config: `{"apiVersion": "pod-security.admission.config.k8s.io/v1", "kind": "PodSecurityConfiguration", "defaults": {"enforce": "baseline"}}`, resource: "pods", obj: pod, want: `pods "p" is forbidden: ` + refused, code: http.StatusForbidden},
		"warned":              {labels: labels("warn", "baseline"), resource: "pods", obj: pod, warnings: warnings{text}},
		"templates are never refused": {
			labels: labels("enforce", "baseline", "warn", "baseline"), resource: "deployments", obj: deployment, warnings: warnings{text},
		},
		"no change that matters": {labels: labels("enforce", "baseline"), resource: "pods", obj: pod, old: pod},
		"another resource":       {labels: labels("enforce", "baseline"), resource: "secrets", obj: &core.Secret{}},
		"label of a namespace": {
			resource: "namespaces", obj: namespace(labels("enforce", "none")), code: http.StatusUnprocessableEntity,
			want: `Namespace "n" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "none": must be one of privileged, baseline, restricted`,
		},
		"label that was wrong before": {resource: "namespaces", obj: namespace(labels("enforce", "none")), old: namespace(labels("enforce", "none"))},
		"namespace gets stricter": {
			resource: "namespaces", obj: namespace(labels("enforce", "baseline")), old: namespace(nil),
			warnings: warnings{`existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:latest"`, "old: host namespaces"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := started(t, tc.config, (*corev1.Namespace)(namespace(tc.labels)),
				&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "old"}, Spec: hostile})
			resource, kind := corev1.SchemeGroupVersion.WithResource(tc.resource), corev1.SchemeGroupVersion.WithKind("Namespace")
			if tc.resource == "deployments" {
				resource = appsv1.SchemeGroupVersion.WithResource(tc.resource)
			}
			operation := admission.Create
			if tc.old != nil {
				operation = admission.Update
			}
			object, _ := tc.obj.(metav1.Object)
			var got warnings
			ctx := warning.WithWarningRecorder(context.WithoutCancel(t.Context()), &got)
			err := p.Validate(ctx, admission.NewAttributesRecord(tc.obj, tc.old, kind, "n", object.GetName(), resource, "", operation, nil, false, &user.DefaultInfo{}), nil)
			if diff := cmp.Diff(tc.warnings, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if tc.want == "" && err == nil {
				return
			}
			status, ok := err.(apierrors.APIStatus)
			if !ok || err.Error() != tc.want || status.Status().Code != tc.code {
				t.Errorf("error %v, want %d %s", err, tc.code, tc.want)
			}
		})
	}
}
