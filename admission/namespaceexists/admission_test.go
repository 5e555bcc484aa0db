// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package namespaceexists_test

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/namespaceexists"
	"github.com/stoa-project/stoa/apis/core"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	const missing = `namespaces "n" not found`
	secrets, namespaces := corev1.SchemeGroupVersion.WithResource("secrets"), corev1.SchemeGroupVersion.WithResource("namespaces")
	secret, kind := &core.Secret{}, corev1.SchemeGroupVersion.WithKind("Namespace")
	there := []runtime.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n"}}}
	for name, tc := range map[string]struct {
		objects []runtime.Object
		request admissiontest.Request
		away    bool
		want    string
	}{
		"create":              {there, admissiontest.Request{Obj: secret, Resource: secrets}, false, ""},
		"create nowhere":      {nil, admissiontest.Request{Obj: secret, Resource: secrets}, false, missing},
		"update nowhere":      {nil, admissiontest.Request{Obj: secret, Old: secret, Resource: secrets}, false, missing},
		"dry run nowhere":     {nil, admissiontest.Request{Obj: secret, Resource: secrets, DryRun: true}, false, missing},
		"delete nowhere":      {nil, admissiontest.Request{Old: secret, Resource: secrets, Operation: admission.Delete}, false, missing},
		"path nowhere":        {nil, admissiontest.Request{Obj: secret, Old: secret, Resource: secrets, Subresource: "status"}, false, missing},
		"connect nowhere":     {nil, admissiontest.Request{Obj: secret, Resource: secrets, Operation: admission.Connect}, false, ""},
		"the namespace":       {nil, admissiontest.Request{Obj: &core.Namespace{}, Resource: namespaces, Kind: kind}, false, ""},
		"its subresource":     {nil, admissiontest.Request{Obj: &core.Namespace{}, Resource: namespaces, Kind: kind, Subresource: "finalize"}, false, ""},
		"nobody can be asked": {nil, admissiontest.Request{Obj: secret, Resource: secrets}, true, "Internal error occurred: away"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := admissiontest.Start(t, namespaceexists.Register, admissiontest.Plugin{Objects: tc.objects})
			if tc.away {
				p.Client().PrependReactor("get", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("away") })
			}
			err := p.Do(t.Context(), tc.request)
			if (err == nil) != (tc.want == "") || err != nil && err.Error() != tc.want {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
