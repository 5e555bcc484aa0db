// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/stoatest"
)

const creatorKey = "tenancy.stoa.dev/creator"

// creatorOf is what a namespace says of its creator.
func creatorOf(t *testing.T, server *stoatest.Server, name string) string {
	t.Helper()
	namespace, err := clientFor(t, server.Config()).CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	creator, there := namespace.Annotations[creatorKey]
	if !there {
		return "nobody"
	}
	return creator
}

// alice may create namespaces on the shared server.
func alice(t *testing.T) *rest.Config {
	t.Helper()
	name := "alice-" + unique(t)
	_, err := admin(t).RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(api.Config())
	config.Impersonate.UserName = name
	eventually(t, func() string {
		_, err := clientFor(t, config).CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{})
		return text(err)
	})
	return config
}

// manifest is a namespace in JSON, with more annotations.
func manifest(t *testing.T, name string, annotations map[string]string) []byte {
	t.Helper()
	out, err := json.Marshal(corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestNamespaceCreator has a user create a namespace in each way, and then everybody try
// to change what it says of its creator, in each way.
func TestNamespaceCreator(t *testing.T) {
	t.Parallel()
	user := alice(t)
	const apply = "application/apply-patch+yaml"
	for name, patch := range map[string]string{"created": "", "applied": apply} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name := unique(t)
			r := request{method: "POST", path: "/api/v1/namespaces", config: user, body: manifest(t, name, map[string]string{creatorKey: "root"})}
			if patch != "" {
				r.method, r.path, r.header = "PATCH", r.path+"/"+name+"?fieldManager=a", map[string]string{"Content-Type": patch}
			}
			made := do(t, r)
			if made.code != 201 || creatorOf(t, api, name) != user.Impersonate.UserName {
				t.Errorf("%d, created by %s, warning %q: %s", made.code, creatorOf(t, api, name), made.header.Get("Warning"), made.body)
			}
			if want := `299 - "metadata.annotations[tenancy.stoa.dev/creator]: set by the server, which says there who created the namespace"`; made.header.Get("Warning") != want {
				t.Errorf("warning %q, want %q", made.header.Get("Warning"), want)
			}
		})
	}
	t.Run("forged later", func(t *testing.T) {
		t.Parallel()
		name := unique(t)
		path := "/api/v1/namespaces/" + name
		if made := do(t, request{method: "POST", path: "/api/v1/namespaces", config: user, body: manifest(t, name, nil)}); made.code != 201 {
			t.Fatalf("create: %d %s", made.code, made.body)
		}
		const change = `{"metadata":{"annotations":{"tenancy.stoa.dev/creator":"root"}}}`
		refused := `namespaces "` + name + `" is forbidden: metadata.annotations[tenancy.stoa.dev/creator] says who created the namespace and may not be changed`
		for what, r := range map[string]request{
			"merge":             {method: "PATCH", path: path, body: []byte(change), header: map[string]string{"Content-Type": "application/merge-patch+json"}},
			"strategic":         {method: "PATCH", path: path, body: []byte(change), header: map[string]string{"Content-Type": "application/strategic-merge-patch+json"}},
			"JSON":              {method: "PATCH", path: path, body: []byte(`[{"op":"replace","path":"/metadata/annotations/tenancy.stoa.dev~1creator","value":"root"}]`), header: map[string]string{"Content-Type": "application/json-patch+json"}},
			"apply":             {method: "PATCH", path: path + "?fieldManager=b&force=true", body: manifest(t, name, map[string]string{creatorKey: "root"}), header: map[string]string{"Content-Type": apply}},
			"replace":           {method: "PUT", path: path, body: manifest(t, name, map[string]string{creatorKey: "root"})},
			"status":            {method: "PUT", path: path + "/status", body: manifest(t, name, map[string]string{creatorKey: "root"})},
			"status by a patch": {method: "PATCH", path: path + "/status", body: []byte(change), header: map[string]string{"Content-Type": "application/merge-patch+json"}},
			"finalize":          {method: "PUT", path: path + "/finalize", body: []byte(strings.Replace(string(manifest(t, name, map[string]string{creatorKey: "root"})), `"spec":{}`, `"spec":{"finalizers":["kubernetes"]}`, 1))},
		} {
			got := do(t, r) // as an administrator of the group system:masters
			if got.code != 403 || got.status(t).Message != refused {
				t.Errorf("%s: %d %s, want %s", what, got.code, got.body, refused)
			}
		}
		for what, r := range map[string]request{
			"merge":    {method: "PATCH", path: path, body: []byte(`{"metadata":{"annotations":null}}`), header: map[string]string{"Content-Type": "application/merge-patch+json"}},
			"JSON":     {method: "PATCH", path: path, body: []byte(`[{"op":"remove","path":"/metadata/annotations/tenancy.stoa.dev~1creator"}]`), header: map[string]string{"Content-Type": "application/json-patch+json"}},
			"apply":    {method: "PATCH", path: path + "?fieldManager=b", body: manifest(t, name, map[string]string{"a": "b"}), header: map[string]string{"Content-Type": apply}},
			"replace":  {method: "PUT", path: path, body: manifest(t, name, nil)},
			"status":   {method: "PUT", path: path + "/status", body: manifest(t, name, nil)},
			"finalize": {method: "PUT", path: path + "/finalize", body: []byte(strings.Replace(string(manifest(t, name, nil)), `"spec":{}`, `"spec":{"finalizers":["kubernetes"]}`, 1))},
		} {
			if got := do(t, r); got.code != 200 || creatorOf(t, api, name) != user.Impersonate.UserName {
				t.Errorf("without the annotation, %s: %d, created by %s: %s", what, got.code, creatorOf(t, api, name), got.body)
			}
		}
	})
	t.Run("taken and left again", func(t *testing.T) {
		t.Parallel()
		name := unique(t)
		for i, annotations := range []map[string]string{nil, {creatorKey: user.Impersonate.UserName}, nil} {
			got := do(t, request{
				method: "PATCH", path: "/api/v1/namespaces/" + name + "?fieldManager=a", config: user, body: manifest(t, name, annotations),
				header: map[string]string{"Content-Type": apply},
			})
			if got.code >= 300 || creatorOf(t, api, name) != user.Impersonate.UserName {
				t.Errorf("apply %d: %d, created by %s: %s", i, got.code, creatorOf(t, api, name), got.body)
			}
		}
	})
}

// TestNamespacesBefore has namespaces of a server without the plugin on one with it.
func TestNamespacesBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--disable-admission-plugins=NamespaceCreator"))
	if made := do(t, request{method: "POST", path: "/api/v1/namespaces", config: before.Config(), body: manifest(t, "old", nil)}); made.code != 201 {
		t.Fatalf("create: %d %s", made.code, made.body)
	}
	if got := creatorOf(t, before, "old"); got != "nobody" {
		t.Errorf("without the plugin created by %s", got)
	}
	before.Stop()
	after := stoatest.Start(t, stoatest.WithDataDir(dir))
	patch := func(name, annotation string) answer {
		return do(t, request{
			method: "PATCH", path: "/api/v1/namespaces/" + name, config: after.Config(), body: []byte(`{"metadata":{"annotations":{"` + annotation + `":"x"}}}`),
			header: map[string]string{"Content-Type": "application/merge-patch+json"},
		})
	}
	names := []string{"old", "default", "kube-system", "kube-public", "kube-node-lease"}
	for _, name := range names {
		if got := patch(name, "a"); got.code != 200 {
			t.Errorf("%s: update: %d %s", name, got.code, got.body)
		}
		want := `namespaces "` + name + `" is forbidden: metadata.annotations[tenancy.stoa.dev/creator] says who created the namespace and may not be changed`
		if got := patch(name, creatorKey); got.code != 403 || got.status(t).Message != want {
			t.Errorf("%s: add the annotation: %d %s", name, got.code, got.body)
		}
		if got := creatorOf(t, after, name); got != "nobody" {
			t.Errorf("%s: created by %s", name, got)
		}
	}
	if got := do(t, request{method: "DELETE", path: "/api/v1/namespaces/old", config: after.Config()}); got.code != 200 {
		t.Errorf("delete: %d %s", got.code, got.body)
	}
	eventually(t, func() string {
		if got := do(t, request{path: "/api/v1/namespaces/old", config: after.Config()}); got.code != 404 {
			return "namespace old is still there"
		}
		return ""
	})
	list, err := clientFor(t, after.Config()).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, namespace := range list.Items {
		got[namespace.Name] = namespace.Annotations[creatorKey]
	}
	if diff := cmp.Diff(map[string]string{"default": "", "kube-system": "", "kube-public": "", "kube-node-lease": ""}, got); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
}
