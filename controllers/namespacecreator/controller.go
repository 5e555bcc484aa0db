// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package namespacecreator is the controller that gives who makes a namespace a role in
// it. Who that is says an annotation, which an admission plugin writes and nobody else
// can. It does so once for a namespace: an administrator who takes the role away again
// has the last word.
//
// A namespace that was created as a project belongs to its creator by another role
// binding. Who creates it makes that too; the controller does if a crash came between.
// Behind a host, where anybody who writes namespaces writes annotations, it goes by what
// the server has written down of the projects that it makes, and does nothing else.
package namespacecreator

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/admission/namespacecreator"
	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/controllers/work"
	registrytenancy "github.com/stoa-project/stoa/registry/tenancy"
)

const (
	// Name is that of the controller.
	Name = "namespace-creator-controller"
	// Bound is the annotation with the cluster role that the user got.
	Bound = "tenancy.stoa.dev/creator-role"
	// Binding is the name of the role binding.
	Binding = "namespace-creator"

	systemPrefix = "system:"
	// again is how often the projects are looked at that other servers make.
	again = time.Minute
)

type controller struct {
	server     work.Server
	namespaces corelisters.NamespaceLister
}

// New returns the controller: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	if server.Behind {
		return func(ctx context.Context) { finish(ctx, server) }
	}
	informer := server.Informers.Core().V1().Namespaces()
	shared := informer.Informer()
	return func(ctx context.Context) {
		if server.CreatorRole == "" && server.OwnerRole == "" {
			return
		}
		c := &controller{server: server, namespaces: informer.Lister()}
		queue := work.NewQueue(Name, c.sync)
		changed := func(obj any) {
			if namespace, ok := obj.(*corev1.Namespace); ok && c.waits(namespace) {
				queue.Add(namespace.Name)
			}
		}
		registration, err := shared.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    changed,
			UpdateFunc: func(_, obj any) { changed(obj) },
		})
		if err != nil {
			klog.FromContext(ctx).Error(err, "Who makes a namespace gets no role there")
			return
		}
		queue.Run(ctx, shared)
		_ = shared.RemoveEventHandler(registration)
	}
}

// finish gives their creators, behind a host, the projects that a server did not come to
// the end of.
func finish(ctx context.Context, server work.Server) {
	const key = "projects"
	promises := registrytenancy.NewPromises(server.Client.CoordinationV1().Leases(server.Place))
	var queue *work.Queue
	queue = work.NewQueue(Name, func(ctx context.Context, _ string) error {
		if err := promises.Keep(ctx, server.Client); err != nil {
			return err
		}
		queue.AddAfter(key, again)
		return nil
	})
	queue.Add(key)
	queue.Run(ctx)
}

// waits says whether the creator of a namespace has not got the role yet.
func (c *controller) waits(namespace *corev1.Namespace) bool {
	return namespace.Annotations[Bound] == "" && namespace.Status.Phase == corev1.NamespaceActive && c.binding(namespace) != nil
}

// binding is what the creator of a namespace gets; nil for nothing. Parts of the system,
// and the administrator of the server, have what they need.
func (c *controller) binding(namespace *corev1.Namespace) *rbacv1.RoleBinding {
	creator := namespace.Annotations[namespacecreator.Annotation]
	_, project := namespace.Annotations[tenancy.ProjectAnnotation]
	switch {
	case creator == "":
		return nil
	case project:
		if c.server.OwnerRole == "" {
			return nil
		}
		return registrytenancy.OwnerBinding(namespace.Name, creator, c.server.OwnerRole)
	case c.server.CreatorRole == "" || creator == c.server.Administrator || strings.HasPrefix(creator, systemPrefix):
		return nil
	}
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: Binding, Namespace: namespace.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: c.server.CreatorRole},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: creator}},
	}
}

// sync binds the creator of a namespace to the role, and writes down that it did.
func (c *controller) sync(ctx context.Context, name string) error {
	namespace, err := c.namespaces.Get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || !c.waits(namespace) {
		return err
	}
	binding := c.binding(namespace)
	role := binding.RoleRef.Name
	_, err = c.server.Client.RbacV1().RoleBindings(name).Create(ctx, binding, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err): // a crash came between the two writes, or somebody was faster
	case apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	case err != nil:
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": namespace.UID, "annotations": map[string]string{Bound: role},
	}})
	if err != nil {
		return err
	}
	_, err = c.server.Client.CoreV1().Namespaces().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: Name})
	switch {
	case apierrors.IsConflict(err): // another namespace of that name, which comes by itself
		return nil
	case apierrors.IsNotFound(err):
		return nil
	case err == nil:
		klog.FromContext(ctx).V(2).Info("Gave who made a namespace a role in it", "namespace", name, "user", namespace.Annotations[namespacecreator.Annotation], "role", role)
	}
	return err
}
