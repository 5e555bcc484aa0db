// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package serviceaccount is the controller that makes the account "default" in every
// active namespace, and makes it again when it is deleted. Pods that name no account
// run as it, so that none could be made without.
package serviceaccount

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

const account = "default"

// retryInterval is how soon a controller that ended begins again.
const retryInterval = time.Second

type controller struct {
	client     kubernetes.Interface
	namespaces coreinformers.NamespaceInformer
	accounts   coreinformers.ServiceAccountInformer
	// queue has the names of namespaces that may lack the account.
	queue workqueue.TypedRateLimitingInterface[string]
}

// New returns the controller: a function that works until its context ends. The
// informers must be started after New.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory) func(context.Context) {
	namespaces, accounts := factory.Core().V1().Namespaces(), factory.Core().V1().ServiceAccounts()
	// The factory starts those that were asked for.
	_, _ = namespaces.Informer(), accounts.Informer()
	return func(ctx context.Context) {
		c := &controller{client: client, namespaces: namespaces, accounts: accounts}
		c.run(ctx)
	}
}

func (c *controller) run(ctx context.Context) {
	c.queue = workqueue.NewTypedRateLimitingQueueWithConfig(workqueue.DefaultTypedControllerRateLimiter[string](),
		workqueue.TypedRateLimitingQueueConfig[string]{Name: "serviceaccount"})
	defer c.queue.ShutDown()
	go func() {
		<-ctx.Done()
		c.queue.ShutDown() // ends the wait for the next name
	}()
	if !cache.WaitFor(ctx, "", c.namespaces.Informer().HasSyncedChecker(), c.accounts.Informer().HasSyncedChecker()) {
		return
	}
	if err := c.listen(); err != nil {
		klog.FromContext(ctx).Error(err, "Default service accounts are not made")
		return
	}
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		for c.next(ctx) {
		}
	}, retryInterval)
}

// listen queues namespaces that appear or change, and those that lose the account.
func (c *controller) listen() error {
	_, err := c.namespaces.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { c.enqueue(obj, false) },
		UpdateFunc: func(_, obj any) { c.enqueue(obj, false) },
	})
	if err != nil {
		return err
	}
	_, err = c.accounts.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		DeleteFunc: func(obj any) { c.enqueue(obj, true) },
	})
	return err
}

// enqueue queues a namespace, or that of an account that was deleted.
func (c *controller) enqueue(obj any, deleted bool) {
	name, err := cache.DeletionHandlingObjectToName(obj)
	switch {
	case err != nil:
	case !deleted:
		c.queue.Add(name.Name)
	case name.Name == account:
		c.queue.Add(name.Namespace)
	}
}

// next takes care of one namespace; false when the queue is closed.
func (c *controller) next(ctx context.Context) bool {
	namespace, closed := c.queue.Get()
	if closed {
		return false
	}
	defer c.queue.Done(namespace)
	err := c.ensure(ctx, namespace)
	if err == nil || ctx.Err() != nil {
		c.queue.Forget(namespace)
		return true
	}
	klog.FromContext(ctx).Error(err, "Could not make the default service account, trying again", "namespace", namespace)
	c.queue.AddRateLimited(namespace)
	return true
}

// ensure makes the account where it is missing.
func (c *controller) ensure(ctx context.Context, name string) error {
	namespace, err := c.namespaces.Lister().Get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || namespace.Status.Phase != corev1.NamespaceActive {
		return err
	}
	_, err = c.accounts.Lister().ServiceAccounts(name).Get(account)
	if !apierrors.IsNotFound(err) {
		return err
	}
	obj := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account, Namespace: name}}
	_, err = c.client.CoreV1().ServiceAccounts(name).Create(ctx, obj, metav1.CreateOptions{})
	// The namespace may have begun to go, or be gone, since the informer saw it.
	if apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return err
}
