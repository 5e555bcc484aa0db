// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/stoatest"
)

// TestCreatorRole has a user who may create namespaces, and no more, own what she made,
// until an administrator says otherwise.
func TestCreatorRole(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t, stoatest.WithFlags("--namespace-creator-role=edit"))
	admin, ctx := clientFor(t, server.Config()), t.Context()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "makers"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"create"}},
	}}
	must(admin.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}))(t)
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "makers"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "makers"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "jane"}},
	}
	must(admin.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}))(t)
	jane := impersonate(t, server, "jane")
	space := func(name string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	eventually(t, func() string {
		_, err := jane.CoreV1().Namespaces().Create(ctx, space("janes"), metav1.CreateOptions{})
		return text(err)
	})
	must(admin.CoreV1().Namespaces().Create(ctx, space("other"), metav1.CreateOptions{}))(t)
	note := func(namespace string) error {
		_, err := jane.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "note-"}}, metav1.CreateOptions{})
		return err
	}
	eventually(t, func() string { return text(note("janes")) })
	if err := note("other"); !apierrors.IsForbidden(err) {
		t.Errorf("in the namespace of another: %v", err)
	}
	noted := func() string {
		namespace := must(admin.CoreV1().Namespaces().Get(ctx, "janes", metav1.GetOptions{}))(t)
		if got := namespace.Annotations["tenancy.stoa.dev/creator-role"]; got != "edit" {
			return "noted " + got
		}
		return ""
	}
	eventually(t, noted)
	if err := admin.RbacV1().RoleBindings("janes").Delete(ctx, "namespace-creator", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	// A change has the controller look at the namespace, after that at a new one of hers.
	namespace := must(admin.CoreV1().Namespaces().Get(ctx, "janes", metav1.GetOptions{}))(t)
	namespace.Labels["changed"] = "yes"
	must(admin.CoreV1().Namespaces().Update(ctx, namespace, metav1.UpdateOptions{}))(t)
	must(jane.CoreV1().Namespaces().Create(ctx, space("janes-too"), metav1.CreateOptions{}))(t)
	eventually(t, func() string { return text(note("janes-too")) })
	if _, err := admin.RbacV1().RoleBindings("janes").Get(ctx, "namespace-creator", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the role is back: %v", err)
	}
}

// TestProjectFinished has a server end between the two writes that make a project. The next
// one finishes it.
func TestProjectFinished(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	// This is how a server makes the namespace of a project, before it binds the owner.
	server := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--controllers=*,-namespace-creator-controller"))
	half := func(name, user string) {
		t.Helper()
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		must(impersonate(t, server, user, "system:stoa:project-writers").CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}))(t)
	}
	eventually(t, func() string { // the default role of the group is there
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "dry"}}
		_, err := impersonate(t, server, "jane", "system:stoa:project-writers").CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return text(err)
	})
	half("half", "jane")
	half("half-too", "system:serviceaccount:default:robot")
	whole := &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: "whole"}}
	must(tenancyAs(t, server, "").TenancyV1().Projects().Create(ctx, whole, metav1.CreateOptions{}))(t)
	server.Stop()
	server = stoatest.Start(t, stoatest.WithDataDir(dir))
	admin := clientFor(t, server.Config())
	for name, owner := range map[string]rbacv1.Subject{
		"half":     {Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: "jane"},
		"half-too": {Kind: "ServiceAccount", Namespace: "default", Name: "robot"},
		"whole":    {Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: "stoa-admin"},
	} {
		eventually(t, func() string {
			namespace, err := admin.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
			if err != nil || namespace.Annotations["tenancy.stoa.dev/creator-role"] != "admin" {
				return "not noted on " + name + ": " + text(err)
			}
			return ""
		})
		bindings := must(admin.RbacV1().RoleBindings(name).List(ctx, metav1.ListOptions{}))(t)
		if len(bindings.Items) != 1 || bindings.Items[0].Name != "project-owner" || !slices.Equal(bindings.Items[0].Subjects, []rbacv1.Subject{owner}) {
			t.Errorf("%s: role bindings %+v", name, bindings.Items)
		}
	}
	eventually(t, func() string {
		_, err := tenancyAs(t, server, "jane").TenancyV1().Projects().Get(ctx, "half", metav1.GetOptions{})
		return text(err)
	})
}
