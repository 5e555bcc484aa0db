// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package namespacecreator_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/stoa-project/stoa/controllers/namespacecreator"
	"github.com/stoa-project/stoa/controllers/work"
)

// made is a namespace that a user made, if one is named.
func made(name, creator string) *corev1.Namespace {
	out := &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Annotations: map[string]string{}},
		Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
	}
	if creator != "" {
		out.Annotations["tenancy.stoa.dev/creator"] = creator
	}
	return out
}

// project is a namespace that a user made as a project.
func project(name, creator string) *corev1.Namespace {
	out := made(name, creator)
	out.Annotations["tenancy.stoa.dev/created-as-project"] = "true"
	return out
}

// bindings are the users with a role, by namespace, and the annotations that say so.
func bindings(t *testing.T, client *fake.Clientset) (users, noted map[string]string) {
	t.Helper()
	users, noted = map[string]string{}, map[string]string{}
	list, err := client.RbacV1().RoleBindings("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		b := &list.Items[i]
		kind, name := rbacv1.UserKind, "namespace-creator"
		if strings.HasPrefix(b.Namespace, "project") {
			name = "project-owner"
		}
		if b.Namespace == "project-of-robot" {
			kind = rbacv1.ServiceAccountKind
		}
		if b.Name != name || b.RoleRef.Kind != "ClusterRole" || len(b.Subjects) != 1 || b.Subjects[0].Kind != kind {
			t.Errorf("binding %+v", b)
		}
		users[b.Namespace] = b.Subjects[0].Name + " " + b.RoleRef.Name
	}
	namespaces, err := client.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range namespaces.Items {
		if role, ok := namespaces.Items[i].Annotations["tenancy.stoa.dev/creator-role"]; ok {
			noted[namespaces.Items[i].Name] = role
		}
	}
	return users, noted
}

func TestController(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		role  string
		users map[string]string
		noted map[string]string
	}{
		"a role": {
			"edit", map[string]string{"shop": "jim edit", "late": "jim edit", "project": "jim owner", "project-of-robot": "b owner"},
			map[string]string{"shop": "edit", "late": "edit", "removed": "edit", "project": "owner", "project-of-robot": "owner"},
		},
		"no role": {
			"", map[string]string{"project": "jim owner", "project-of-robot": "b owner"},
			map[string]string{"removed": "edit", "project": "owner", "project-of-robot": "owner"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				going, removed := made("going", "jim"), made("removed", "jim")
				going.Status.Phase = corev1.NamespaceTerminating
				removed.Annotations["tenancy.stoa.dev/creator-role"] = "edit"
				client := fake.NewClientset(made("shop", "jim"), made("old", ""), made("system", "system:serviceaccount:a:b"), made("boss", "admin"), going, removed,
					project("project", "jim"), project("project-of-robot", "system:serviceaccount:a:b"))
				factory := informers.NewSharedInformerFactory(client, 0)
				run := namespacecreator.New(work.Server{Client: client, Informers: factory, CreatorRole: tc.role, OwnerRole: "owner", Administrator: "admin"})
				ctx, cancel := context.WithCancel(t.Context())
				factory.StartWithContext(ctx)
				done := make(chan struct{})
				go func() {
					defer close(done)
					run(ctx)
				}()
				synctest.Wait()
				if _, err := client.CoreV1().Namespaces().Create(ctx, made("late", "jim"), metav1.CreateOptions{}); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				users, noted := bindings(t, client)
				if diff := cmp.Diff(tc.users, users); diff != "" {
					t.Errorf("bindings (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tc.noted, noted); diff != "" {
					t.Errorf("annotations (-want +got):\n%s", diff)
				}
				cancel()
				<-done
				factory.Shutdown()
			})
		})
	}
}
