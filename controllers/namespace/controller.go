// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package namespace is the controller that empties namespaces which are being
// deleted, of all kinds that the server serves, and then lets them go. Conditions of
// the namespace say what is in the way.
package namespace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/controllers/catalog"
	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// Name is that of the controller.
	Name = "namespace-controller"
	// queueName is that of the queue in metrics, which is upstream's.
	queueName = "namespace"
	// workers is how many namespaces are emptied at once.
	workers = 10
)

type controller struct {
	client   kubernetes.Interface
	metadata metadata.Interface
	catalog  *catalog.Catalog
	local    func(schema.GroupVersionResource) cache.ListerWatcher
	alone    bool // no other server lets namespaces go

	namespaces cache.SharedIndexInformer
	queue      *work.Queue // of the names of namespaces that go, or are gone
}

// New returns the controller: a function that works until its context ends. The
// informers must be started after New.
func New(server work.Server) func(context.Context) {
	namespaces := server.Informers.Core().V1().Namespaces().Informer()
	return func(ctx context.Context) {
		c := &controller{client: server.Client, metadata: server.Metadata, catalog: server.Catalog, local: server.Local, alone: server.Alone, namespaces: namespaces}
		c.queue = work.NewQueue(queueName, c.sync)
		c.queue.Workers = workers
		c.queue.Listen(namespaces, cache.ResourceEventHandlerFuncs{
			AddFunc: c.changed,
			UpdateFunc: func(old, obj any) {
				if !onlyStatus(old, obj) {
					c.changed(obj)
				}
			},
			DeleteFunc: c.gone,
		})
		c.queue.AddAfter(everywhere, sweepAfter)
		c.queue.Run(ctx)
	}
}

// onlyStatus says whether an update of a namespace that is being deleted only tells how
// far that is. The controller writes that itself, and must not hurry because of it.
func onlyStatus(old, obj any) bool {
	before, wasOne := old.(*corev1.Namespace)
	now, isOne := obj.(*corev1.Namespace)
	return wasOne && isOne && before.ResourceVersion != now.ResourceVersion && before.DeletionTimestamp != nil &&
		slices.Equal(before.Finalizers, now.Finalizers) && slices.Equal(before.Spec.Finalizers, now.Spec.Finalizers)
}

func (c *controller) changed(obj any) {
	if namespace, ok := obj.(*corev1.Namespace); ok && namespace.DeletionTimestamp != nil {
		c.queue.Add(namespace.Name)
	}
}

func (c *controller) gone(obj any) {
	if name, err := cache.DeletionHandlingObjectToName(obj); err == nil {
		c.queue.AddAfter(name.Name, sweepAfter)
	}
}

// sync takes a namespace as far towards its end as it goes now.
func (c *controller) sync(ctx context.Context, name string) error {
	if name == everywhere {
		return c.swept(ctx, name, c.search(ctx))
	}
	namespaces := c.client.CoreV1().Namespaces()
	namespace, err := namespaces.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return c.swept(ctx, name, c.sweep(ctx, name))
	case err != nil:
		return err
	case namespace.DeletionTimestamp == nil || len(namespace.Spec.Finalizers) == 0:
		return nil
	}
	found := c.empty(ctx, namespace)
	if errors.Is(found.err(), errReplaced) {
		return nil // a new one is another matter
	}
	status := namespace.Status.DeepCopy()
	if found.writeTo(status) {
		namespace = namespace.DeepCopy()
		namespace.Status = *status
		namespace, err = namespaces.UpdateStatus(ctx, namespace, metav1.UpdateOptions{})
		if err != nil {
			return cmp.Or(found.err(), contended(err))
		}
	}
	if err := found.err(); err != nil {
		return fmt.Errorf("namespace %q: %w", name, err)
	}
	if found.remains() {
		return work.AgainError{Within: time.Duration(found.seconds/2+1) * time.Second}
	}
	namespace = namespace.DeepCopy()
	namespace.Spec.Finalizers = slices.DeleteFunc(namespace.Spec.Finalizers, func(f corev1.FinalizerName) bool { return f == corev1.FinalizerKubernetes })
	if _, err := namespaces.Finalize(ctx, namespace, metav1.UpdateOptions{}); err != nil {
		return contended(err)
	}
	klog.FromContext(ctx).V(2).Info("Emptied a namespace that is deleted", "namespace", klog.KObj(namespace))
	return nil
}

// contended says what the error of a write means: a namespace that has changed is
// looked at again, and one that is gone is what is wanted.
func contended(err error) error {
	switch {
	case apierrors.IsConflict(err):
		return work.AgainError{Why: err}
	case apierrors.IsNotFound(err):
		return nil
	default:
		return err
	}
}
