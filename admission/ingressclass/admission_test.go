// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package ingressclass_test

import (
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/ingressclass"
	"github.com/stoa-project/stoa/apis/networking"
)

func class(name string, age time.Duration) runtime.Object {
	return &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{
		Name: name, Annotations: map[string]string{"ingressclass.kubernetes.io/is-default-class": "true"}, CreationTimestamp: metav1.NewTime(time.Unix(1e9, 0).Add(-age)),
	}}
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	ingresses := networkingv1.SchemeGroupVersion.WithResource("ingresses")
	plain := &networking.Ingress{}
	named, annotated := plain.DeepCopy(), plain.DeepCopy()
	named.Spec.IngressClassName = new("own")
	annotated.Annotations = map[string]string{"kubernetes.io/ingress.class": "old"}
	usual := []runtime.Object{class("usual", 0), &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "other"}}}
	for name, tc := range map[string]struct {
		classes []runtime.Object
		request admissiontest.Request
		want    string
	}{
		"default":        {usual, admissiontest.Request{Obj: plain, Resource: ingresses}, "usual"},
		"the newest":     {[]runtime.Object{class("a", time.Hour), class("b", time.Minute)}, admissiontest.Request{Obj: plain, Resource: ingresses}, "b"},
		"first of a day": {[]runtime.Object{class("b", 0), class("a", 0)}, admissiontest.Request{Obj: plain, Resource: ingresses}, "a"},
		"no default":     {nil, admissiontest.Request{Obj: plain, Resource: ingresses}, ""},
		"named":          {usual, admissiontest.Request{Obj: named, Resource: ingresses}, "own"},
		"annotated":      {usual, admissiontest.Request{Obj: annotated, Resource: ingresses}, ""},
		"update":         {usual, admissiontest.Request{Obj: plain, Old: plain, Resource: ingresses}, ""},
		"status":         {usual, admissiontest.Request{Obj: plain, Resource: ingresses, Subresource: "status"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.request.Obj = tc.request.Obj.DeepCopyObject()
			admissiontest.Check(t, admissiontest.Start(t, ingressclass.Register, admissiontest.Plugin{Objects: tc.classes}).Do(t.Context(), tc.request), "")
			got := ""
			if name := tc.request.Obj.(*networking.Ingress).Spec.IngressClassName; name != nil {
				got = *name
			}
			if got != tc.want {
				t.Errorf("class %q, want %q", got, tc.want)
			}
		})
	}
	err := admissiontest.Start(t, ingressclass.Register, admissiontest.Plugin{}).Do(t.Context(), admissiontest.Request{Obj: &networking.NetworkPolicy{}, Resource: ingresses})
	if want := "Internal error occurred: Expected Ingress resource, got: /, Kind="; !apierrors.IsInternalError(err) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
