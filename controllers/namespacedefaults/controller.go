// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package namespacedefaults is the controller that gives every namespace the resource
// quota and the limit range that a config map in kube-system holds, and a new one when
// the config map changes. What somebody edited is left to them.
package namespacedefaults

import (
	"context"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// Name is that of the controller.
	Name = "namespace-defaults-controller"
	// Object is the name of the config map, and of what namespaces get.
	Object = "namespace-defaults"
	// Excepted is the label of a namespace that gets nothing, with the value "false".
	Excepted = "tenancy.stoa.dev/namespace-defaults"

	// configured is the key of the config map in the queue. No namespace has it.
	configured = ""
	workers    = 4
)

type controller struct {
	server     work.Server
	namespaces corelisters.NamespaceLister
	queue      *work.Queue // of the names of namespaces, and configured

	lock     sync.Mutex
	defaults *defaults // nil: there are none
}

// New returns the controller: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	informer := server.Informers.Core().V1().Namespaces()
	shared := informer.Informer()
	return func(ctx context.Context) {
		c := &controller{server: server, namespaces: informer.Lister()}
		c.queue = work.NewQueue(Name, c.sync)
		c.queue.Workers = workers
		registration, err := shared.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    c.changed,
			UpdateFunc: func(_, obj any) { c.changed(obj) },
		})
		if err != nil {
			klog.FromContext(ctx).Error(err, "Namespaces get no default quotas")
			return
		}
		look := func(metav1.Object) { c.queue.Add(configured) }
		var following sync.WaitGroup
		following.Go(func() {
			server.Follow(ctx, work.Watch{
				Resource: corev1.SchemeGroupVersion.WithResource("configmaps"),
				Fields:   "metadata.namespace=" + metav1.NamespaceSystem + ",metadata.name=" + Object,
				Seen:     look, Gone: look, Listed: func([]metav1.Object) { c.queue.Add(configured) },
			})
		})
		c.queue.Run(ctx, shared)
		_ = shared.RemoveEventHandler(registration)
		following.Wait()
	}
}

// changed queues a namespace that should have the defaults, if there are any.
func (c *controller) changed(obj any) {
	if namespace, ok := obj.(*corev1.Namespace); ok && c.current() != nil && entitled(namespace) {
		c.queue.Add(namespace.Name)
	}
}

// entitled says whether a namespace gets the defaults: all do but those of the system,
// and those with the label.
func entitled(namespace *corev1.Namespace) bool {
	return namespace.Status.Phase == corev1.NamespaceActive && namespace.Labels[Excepted] != "false" &&
		namespace.Name != metav1.NamespaceDefault && !strings.HasPrefix(namespace.Name, "kube-")
}

func (c *controller) current() *defaults {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.defaults
}

func (c *controller) sync(ctx context.Context, key string) error {
	if key == configured {
		return c.configure(ctx)
	}
	d := c.current()
	namespace, err := c.namespaces.Get(key)
	if d == nil || apierrors.IsNotFound(err) || err == nil && !entitled(namespace) {
		return nil
	}
	if err != nil {
		return err
	}
	err = d.provide(ctx, c.server.Client.CoreV1(), key)
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return work.AgainError{}
	case apierrors.IsNotFound(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	}
	return err
}

// configure reads the config map, and has all namespaces looked at. What is wrong with
// it is said once, and changes nothing.
func (c *controller) configure(ctx context.Context) error {
	var wanted *defaults
	configMap, err := c.server.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, Object, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return err
	default:
		if wanted, err = parse(configMap.Data); err == nil {
			err = wanted.check(ctx, c.server.Client.CoreV1())
		}
		if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || isMistake(err) {
			klog.FromContext(ctx).Error(err, "The config map with the defaults of namespaces has a mistake, what it said before holds on",
				"configMap", klog.KRef(metav1.NamespaceSystem, Object))
			return nil
		}
		if err != nil {
			return fmt.Errorf("check config map %s/%s: %w", metav1.NamespaceSystem, Object, err)
		}
	}
	c.lock.Lock()
	c.defaults = wanted
	c.lock.Unlock()
	namespaces, err := c.namespaces.List(labels.Everything())
	for _, namespace := range namespaces {
		c.changed(namespace)
	}
	return err
}
