// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package namespacecreator_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/warning"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/namespacecreator"
	"github.com/stoa-project/stoa/apis/core"
)

const (
	key     = "tenancy.stoa.dev/creator"
	refused = `namespaces "x" is forbidden: metadata.annotations[tenancy.stoa.dev/creator] says who created the namespace and may not be changed`
	project = "tenancy.stoa.dev/created-as-project"
	notice  = "metadata.annotations[tenancy.stoa.dev/creator]: set by the server, which says there who created the namespace"
)

type set = map[string]string

func namespace(name string, annotations set) *core.Namespace {
	return &core.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}
}

type warnings []string

func (w *warnings) AddWarning(_, text string) { *w = append(*w, text) }

func TestPlugin(t *testing.T) {
	t.Parallel()
	admin := &user.DefaultInfo{Name: "root", Groups: []string{user.SystemPrivilegedGroup}}
	loopback := &user.DefaultInfo{Name: user.APIServerUser, UID: "u", Groups: []string{user.SystemPrivilegedGroup}}
	writer := &user.DefaultInfo{Name: "jane", Groups: []string{"system:stoa:project-writers"}}
	created, asProject := namespace("x", set{key: "alice", "a": "b"}), namespace("x", set{key: "alice", project: "true"})
	const (
		ofProject      = "metadata.annotations[tenancy.stoa.dev/created-as-project]: set by the server, which says there whether the namespace was created as a project"
		refusedProject = `namespaces "x" is forbidden: metadata.annotations[tenancy.stoa.dev/created-as-project] says whether the namespace was created as a project and may not be changed`
	)
	for name, tc := range map[string]struct {
		obj, old *core.Namespace
		by       user.Info
		path     string
		want     set
		refused  string
		warned   warnings
	}{
		"create":                        {obj: namespace("x", nil), want: set{key: "jane"}},
		"create beside others":          {obj: namespace("x", set{"a": "b"}), want: set{"a": "b", key: "jane"}},
		"create by an administrator":    {obj: namespace("x", nil), by: admin, want: set{key: "root"}},
		"create by the server":          {obj: namespace("x", nil), by: loopback, want: set{key: "system:apiserver"}},
		"create with a forged creator":  {obj: namespace("x", set{key: "root"}), want: set{key: "jane"}, warned: warnings{notice}},
		"create with an empty creator":  {obj: namespace("x", set{key: ""}), want: set{key: "jane"}, warned: warnings{notice}},
		"create with the right creator": {obj: namespace("x", set{key: "jane"}), want: set{key: "jane"}},
		"default":                       {obj: namespace("default", nil), by: loopback},
		"kube-system":                   {obj: namespace("kube-system", nil), by: loopback},
		"kube-public":                   {obj: namespace("kube-public", nil), by: loopback},
		"kube-node-lease":               {obj: namespace("kube-node-lease", nil), by: loopback},
		"forged creator of a system namespace": {
			obj: namespace("kube-node-lease", set{key: "root"}), want: set{}, warned: warnings{notice},
		},

		"project":             {obj: namespace("x", nil), by: writer, want: set{key: "jane", project: "true"}},
		"forged project":      {obj: namespace("x", set{project: "true"}), by: admin, want: set{key: "root"}, warned: warnings{ofProject}},
		"update of a project": {obj: namespace("x", nil), old: asProject, want: set{key: "alice", project: "true"}, warned: warnings{notice, ofProject}},
		"project no more":     {obj: namespace("x", set{key: "alice", project: "no"}), old: asProject, by: writer, want: set{key: "alice", project: "no"}, refused: refusedProject},
		"project later":       {obj: namespace("x", set{key: "alice", project: "true"}), old: created, by: writer, want: set{key: "alice", project: "true"}, refused: refusedProject},

		"update":                       {obj: namespace("x", set{key: "alice", "a": "c"}), old: created, want: set{key: "alice", "a": "c"}},
		"update without it":            {obj: namespace("x", nil), old: created, want: set{key: "alice"}, warned: warnings{notice}},
		"update without it, status":    {obj: namespace("x", nil), old: created, path: "status", want: set{key: "alice"}, warned: warnings{notice}},
		"update without it, finalize":  {obj: namespace("x", nil), old: created, path: "finalize", want: set{key: "alice"}, warned: warnings{notice}},
		"change":                       {obj: namespace("x", set{key: "jane"}), old: created, want: set{key: "jane"}, refused: refused},
		"change to nobody":             {obj: namespace("x", set{key: ""}), old: created, want: set{key: ""}, refused: refused},
		"change by an administrator":   {obj: namespace("x", set{key: "root"}), old: created, by: admin, want: set{key: "root"}, refused: refused},
		"change by status":             {obj: namespace("x", set{key: "jane"}), old: created, path: "status", want: set{key: "jane"}, refused: refused},
		"change by finalize":           {obj: namespace("x", set{key: "jane"}), old: created, path: "finalize", want: set{key: "jane"}, refused: refused},
		"an old namespace":             {obj: namespace("x", set{"a": "b"}), old: namespace("x", nil), want: set{"a": "b"}},
		"an old namespace is given it": {obj: namespace("x", set{key: "jane"}), old: namespace("x", nil), by: admin, want: set{key: "jane"}, refused: refused},
		"an old namespace is given an empty one": {
			obj: namespace("x", set{key: ""}), old: namespace("x", nil), want: set{key: ""}, refused: refused,
		},
		"an old namespace with an empty one": {obj: namespace("x", set{key: ""}), old: namespace("x", set{key: ""}), want: set{key: ""}},
		"the server's own is given it": {
			obj: namespace("default", set{key: "jane"}), old: namespace("default", nil), want: set{key: "jane"}, refused: refused,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got warnings
			ctx := warning.WithWarningRecorder(context.WithoutCancel(t.Context()), &got)
			request := admissiontest.Request{Obj: tc.obj, Resource: corev1.SchemeGroupVersion.WithResource("namespaces"), Subresource: tc.path, User: tc.by}
			if tc.old != nil {
				request.Old = tc.old
			}
			p := admissiontest.Start(t, namespacecreator.Register, admissiontest.Plugin{})
			admissiontest.Check(t, p.Do(ctx, request), tc.refused)
			if diff := cmp.Diff(tc.want, tc.obj.Annotations); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.warned, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestForgedLater has another plugin change a new namespace after this one.
func TestForgedLater(t *testing.T) {
	t.Parallel()
	plugins := admission.NewPlugins()
	namespacecreator.Register(plugins)
	plugin, err := plugins.InitPlugin("NamespaceCreator", nil, admission.PluginInitializers{})
	if err != nil {
		t.Fatal(err)
	}
	validate := func(annotations set) error {
		a := admission.NewAttributesRecord(namespace("x", annotations), nil, corev1.SchemeGroupVersion.WithKind("Namespace"), "x", "x",
			corev1.SchemeGroupVersion.WithResource("namespaces"), "", admission.Create, nil, false, &user.DefaultInfo{Name: "jane"})
		return plugin.(admission.ValidationInterface).Validate(t.Context(), a, nil)
	}
	admissiontest.Check(t, validate(set{key: "jane"}), "")
	admissiontest.Check(t, validate(set{key: "root"}), refused)
	admissiontest.Check(t, validate(nil), refused)
}

func TestOthers(t *testing.T) {
	t.Parallel()
	p := admissiontest.Start(t, namespacecreator.Register, admissiontest.Plugin{})
	admissiontest.Check(t, p.Do(t.Context(), admissiontest.Request{Obj: &core.Secret{}, Resource: corev1.SchemeGroupVersion.WithResource("secrets")}), "")
	admissiontest.Check(t, p.Do(t.Context(), admissiontest.Request{Obj: namespace("x", nil), Resource: rbacv1.SchemeGroupVersion.WithResource("namespaces")}), "")
	for _, r := range []admissiontest.Request{{Obj: &core.Secret{}}, {Obj: namespace("x", nil), Old: &core.Secret{}}} {
		r.Resource = corev1.SchemeGroupVersion.WithResource("namespaces")
		if err := p.Do(t.Context(), r); !apierrors.IsBadRequest(err) || err.Error() != "expected *core.Namespace but got *core.Secret" {
			t.Errorf("got %v", err)
		}
	}
}
