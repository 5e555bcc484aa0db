// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package autoprovision_test

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/autoprovision"
	"github.com/stoa-project/stoa/apis/core"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	secrets, namespaces := corev1.SchemeGroupVersion.WithResource("secrets"), corev1.SchemeGroupVersion.WithResource("namespaces")
	secret := &core.Secret{}
	there := []runtime.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n"}}}
	for name, tc := range map[string]struct {
		objects []runtime.Object
		request admissiontest.Request
		refused error // of who creates the namespace
		makes   bool
		want    string
	}{
		"there":           {there, admissiontest.Request{Obj: secret, Resource: secrets}, nil, false, ""},
		"not there":       {nil, admissiontest.Request{Obj: secret, Resource: secrets}, nil, true, ""},
		"subresource":     {nil, admissiontest.Request{Obj: secret, Resource: secrets, Subresource: "token"}, nil, true, ""},
		"dry run":         {nil, admissiontest.Request{Obj: secret, Resource: secrets, DryRun: true}, nil, false, ""},
		"update":          {nil, admissiontest.Request{Obj: secret, Old: secret, Resource: secrets}, nil, false, ""},
		"the namespace":   {nil, admissiontest.Request{Obj: &core.Namespace{}, Resource: namespaces, Kind: corev1.SchemeGroupVersion.WithKind("Namespace")}, nil, false, ""},
		"made by another": {nil, admissiontest.Request{Obj: secret, Resource: secrets}, apierrors.NewAlreadyExists(core.Resource("namespaces"), "n"), false, ""},
		"may not be made": {nil, admissiontest.Request{Obj: secret, Resource: secrets}, errors.New("no"), false, `secrets "x" is forbidden: no`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := admissiontest.Start(t, autoprovision.Register, admissiontest.Plugin{Objects: tc.objects})
			if tc.refused != nil {
				p.Client().PrependReactor("create", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, tc.refused })
			}
			admissiontest.Check(t, p.Do(t.Context(), tc.request), tc.want)
			_, err := p.Client().CoreV1().Namespaces().Get(t.Context(), "n", metav1.GetOptions{})
			if made := err == nil && tc.objects == nil; made != tc.makes {
				t.Errorf("the namespace is made: %t, want %t", made, tc.makes)
			}
		})
	}
}
