// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package tokencleaner is the controller that deletes bootstrap tokens when they
// expire. They are no good from then on anyway: this is so that they do not pile up.
package tokencleaner

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/authn/bootstraptoken"
	"github.com/stoa-project/stoa/controllers/work"
)

// Name is that of the controller.
const Name = "token-cleaner-controller"

type controller struct {
	client kubernetes.Interface
	tokens cache.SharedIndexInformer
	queue  *work.Queue // of the keys of tokens that may have expired
}

// New returns the controller: a function that works until its context ends. It has an
// informer of its own, because that of the factory has all Secrets.
func New(client kubernetes.Interface, _ informers.SharedInformerFactory) func(context.Context) {
	return func(ctx context.Context) {
		c := &controller{client: client, tokens: bootstraptoken.NewInformer(client)}
		c.queue = work.NewQueue(Name, c.clean)
		c.queue.Listen(c.tokens, cache.ResourceEventHandlerFuncs{
			AddFunc:    c.enqueue,
			UpdateFunc: func(_, obj any) { c.enqueue(obj) },
		})
		var informer sync.WaitGroup
		informer.Go(func() { c.tokens.RunWithContext(ctx) })
		c.queue.Run(ctx)
		informer.Wait()
	}
}

func (c *controller) enqueue(obj any) {
	if key, err := cache.MetaNamespaceKeyFunc(obj); err == nil {
		c.queue.Add(key)
	}
}

// clean deletes a token that has expired, and comes back for one that will.
func (c *controller) clean(ctx context.Context, key string) error {
	obj, exists, err := c.tokens.GetIndexer().GetByKey(key)
	if err != nil || !exists {
		return err
	}
	secret, ok := obj.(*corev1.Secret)
	if !ok {
		return fmt.Errorf("%s is a %T", key, obj)
	}
	expires, does := bootstraptoken.Expiry(secret)
	if !does {
		return nil
	}
	if left := time.Until(expires); left > 0 {
		c.queue.AddAfter(key, left)
		return nil
	}
	// It may have been replaced since the informer saw it.
	err = c.client.CoreV1().Secrets(secret.Namespace).Delete(ctx, secret.Name, *metav1.NewPreconditionDeleteOptions(string(secret.UID)))
	if err == nil {
		klog.FromContext(ctx).V(2).Info("Deleted an expired bootstrap token", "secret", klog.KObj(secret))
	}
	return work.Settled(err)
}
