// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package serviceaccount is the controller that makes the account "default" in every
// active namespace, and makes it again when it is deleted. Pods that name no account
// run as it, so that none could be made without.
package serviceaccount

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/controllers/work"
)

// Name is that of the controller.
const Name = "serviceaccount-controller"

const account = "default"

type controller struct {
	client     kubernetes.Interface
	namespaces corelisters.NamespaceLister
	accounts   corelisters.ServiceAccountLister
	queue      *work.Queue // of the names of namespaces that may lack the account
}

// New returns the controller: a function that works until its context ends. The
// informers must be started after New.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory) func(context.Context) {
	namespaces, accounts := factory.Core().V1().Namespaces(), factory.Core().V1().ServiceAccounts()
	// The factory starts those that were asked for.
	ofNamespaces, ofAccounts := namespaces.Informer(), accounts.Informer()
	return func(ctx context.Context) {
		c := &controller{client: client, namespaces: namespaces.Lister(), accounts: accounts.Lister()}
		c.queue = work.NewQueue(Name, c.ensure)
		c.queue.Listen(ofNamespaces, cache.ResourceEventHandlerFuncs{
			AddFunc:    func(obj any) { c.enqueue(obj, false) },
			UpdateFunc: func(_, obj any) { c.enqueue(obj, false) },
		})
		c.queue.Listen(ofAccounts, cache.ResourceEventHandlerFuncs{
			DeleteFunc: func(obj any) { c.enqueue(obj, true) },
		})
		c.queue.Run(ctx)
	}
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

// ensure makes the account where it is missing.
func (c *controller) ensure(ctx context.Context, name string) error {
	namespace, err := c.namespaces.Get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || namespace.Status.Phase != corev1.NamespaceActive {
		return err
	}
	_, err = c.accounts.ServiceAccounts(name).Get(account)
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
