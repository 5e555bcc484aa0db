// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
)

// sum is the cluster role that has the rules of those with the label sum=yes.
const sum = "sum"

// writer writes at random, with every right.
type writer struct {
	clients
	as map[string]clients // by the names of people, who have projects
}

// write writes something. What is there already, or is gone, and what is refused, is no
// mistake; neither is it if a server is away. What no server understands is one.
func (w *writer) write(ctx context.Context) error {
	namespace := fmt.Sprint("n", rand.IntN(8))
	write := pick(w.projects, w.roles, w.clusterRoles, w.bindings, w.clusterBindings, w.tenants, w.grants)
	if rand.IntN(3) == 0 {
		write = w.namespaces
	}
	err := write(ctx, namespace)
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err) {
		return err
	}
	return nil
}

// either puts an object there, or changes the one that is there, or takes it away.
func either(create, change, remove func() error) error {
	if rand.IntN(4) == 0 {
		return remove()
	}
	if err := create(); !apierrors.IsAlreadyExists(err) {
		return err
	}
	return change()
}

func rulesPatch(rules []rbacv1.PolicyRule, labels map[string]string) []byte {
	return patch(map[string]any{"rules": rules, "metadata": map[string]any{"labels": labels}})
}

// namespaces come, go, change, and move between tenants.
func (w *writer) namespaces(ctx context.Context, name string) error {
	labels := map[string]any{"x": fmt.Sprint(rand.IntN(3)), tenancy.TenantLabel: pick[any]("a", "b", "c", nil)}
	api := w.CoreV1().Namespaces()
	change := func() error {
		_, err := api.Patch(ctx, name, types.MergePatchType, patch(map[string]any{"metadata": map[string]any{
			"labels": labels, "annotations": map[string]any{tenancy.DisplayNameAnnotation: pick[any]("One", "Two", nil)},
		}}), metav1.PatchOptions{})
		return err
	}
	return either(func() error {
		of := map[string]string{}
		for key, value := range labels {
			if text, ok := value.(string); ok {
				of[key] = text
			}
		}
		_, err := api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: of}}, metav1.CreateOptions{})
		return err
	}, change, func() error {
		if rand.IntN(2) == 0 {
			return change()
		}
		return api.Delete(ctx, name, metav1.DeleteOptions{})
	})
}

// projects are those of people.
func (w *writer) projects(ctx context.Context, name string) error {
	api := w.as[pick(people()...).name].tenancy.TenancyV1().Projects()
	return either(func() error {
		_, err := api.Create(ctx, &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.ProjectSpec{Tenant: pick("", "a", "b")}}, metav1.CreateOptions{})
		return err
	}, func() error {
		_, err := api.Patch(ctx, name, types.MergePatchType, patch(map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"x": fmt.Sprint(rand.IntN(3))}}, "spec": map[string]any{"displayName": pick("", "Three")},
		}), metav1.PatchOptions{})
		return err
	}, func() error { return api.Delete(ctx, name, metav1.DeleteOptions{}) })
}

func (w *writer) roles(ctx context.Context, namespace string) error {
	api, name, rules := w.RbacV1().Roles(namespace), pick("a", "b"), anyRules()
	return either(func() error {
		_, err := api.Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}, metav1.CreateOptions{})
		return err
	}, func() error {
		_, err := api.Patch(ctx, name, types.MergePatchType, rulesPatch(rules, nil), metav1.PatchOptions{})
		return err
	}, func() error { return api.Delete(ctx, name, metav1.DeleteOptions{}) })
}

// clusterRoles are written, and those that are made of others.
func (w *writer) clusterRoles(ctx context.Context, _ string) error {
	api, name, rules, labels := w.RbacV1().ClusterRoles(), pick("a", "b"), anyRules(), map[string]string{sum: pick("yes", "no")}
	return either(func() error {
		_, err := api.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Rules: rules}, metav1.CreateOptions{})
		return err
	}, func() error {
		_, err := api.Patch(ctx, name, types.MergePatchType, rulesPatch(rules, labels), metav1.PatchOptions{})
		return err
	}, func() error { return api.Delete(ctx, name, metav1.DeleteOptions{}) })
}

func (w *writer) bindings(ctx context.Context, namespace string) error {
	api, name, subjects := w.RbacV1().RoleBindings(namespace), pick("a", "b"), served(anySubjects())
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: pick("Role", "ClusterRole"), Name: pick("a", "b")}
	if ref.Kind == "ClusterRole" {
		ref.Name = pick("a", "b", sum, "view")
	}
	return either(func() error {
		_, err := api.Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: ref, Subjects: subjects}, metav1.CreateOptions{})
		return err
	}, func() error {
		_, err := api.Patch(ctx, name, types.MergePatchType, patch(map[string]any{"subjects": subjects}), metav1.PatchOptions{})
		return err
	}, func() error { return api.Delete(ctx, name, metav1.DeleteOptions{}) })
}

func (w *writer) clusterBindings(ctx context.Context, _ string) error {
	api, name, subjects := w.RbacV1().ClusterRoleBindings(), pick("a", "b"), served(anySubjects())
	return either(func() error {
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: pick("a", "b", sum)}
		_, err := api.Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: ref, Subjects: subjects}, metav1.CreateOptions{})
		return err
	}, func() error {
		_, err := api.Patch(ctx, name, types.MergePatchType, patch(map[string]any{"subjects": subjects}), metav1.PatchOptions{})
		return err
	}, func() error { return api.Delete(ctx, name, metav1.DeleteOptions{}) })
}

// tenants get other owners, are suspended, and go when they have no namespaces.
func (w *writer) tenants(ctx context.Context, _ string) error {
	api, name, owners := w.tenancy.TenancyV1().Tenants(), pick("a", "b", "c"), served(anySubjects())
	change := func() error {
		_, err := api.Patch(ctx, name, types.MergePatchType, patch(map[string]any{"spec": map[string]any{
			"owners": owners, "suspended": rand.IntN(8) == 0, "namespaces": map[string]any{"limit": pick[any](nil, 3)},
		}}), metav1.PatchOptions{})
		return err
	}
	return either(func() error {
		_, err := api.Create(ctx, &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.TenantSpec{Owners: owners}}, metav1.CreateOptions{})
		return err
	}, change, func() error {
		if rand.IntN(3) > 0 {
			return change()
		}
		return api.Delete(ctx, name, metav1.DeleteOptions{})
	})
}

// grants are for ever, or for a second.
func (w *writer) grants(ctx context.Context, namespace string) error {
	api, name := w.tenancy.TenancyV1().Grants(namespace), pick("a", "b")
	remove := func() error { return api.Delete(ctx, name, metav1.DeleteOptions{}) }
	return either(func() error {
		grant := &tenancyv1.Grant{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.GrantSpec{
			Subject: served([]rbacv1.Subject{anySubject()})[0],
			RoleRef: &rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: pick("view", sum)},
		}}
		if rand.IntN(2) == 0 {
			grant.Spec.Duration = &metav1.Duration{Duration: time.Second}
		}
		_, err := api.Create(ctx, grant, metav1.CreateOptions{})
		return err
	}, remove, remove)
}

// served makes subjects what a server takes.
func served(all []rbacv1.Subject) []rbacv1.Subject {
	for i := range all {
		if all[i].Kind == "ServiceAccount" {
			all[i].Namespace = "n1"
		} else {
			all[i].APIGroup = rbacv1.GroupName
		}
	}
	return all
}
