// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package namespace

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/controllers/catalog"
)

const (
	// sweepAfter is when a namespace that is gone is looked at once more: a request that
	// was let through before it began to go may have been on its way until then.
	sweepAfter = 5 * time.Second
	// sweeps is how often that is tried, which takes some minutes.
	sweeps = 15
	// everywhere is the key of the search for what is in namespaces that went before the
	// controller began. No namespace has this name.
	everywhere = ""
)

// sweep deletes what came into a namespace as it went, of which nobody else would.
func (c *controller) sweep(ctx context.Context, namespace string) error {
	return c.sweepable(ctx, func(r catalog.Resource) error {
		late, err := c.metadata.Resource(r.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if unserved(err) || err == nil && len(late.Items) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		// What was seen belongs to a namespace that is gone only if there is no new one yet.
		_, err = c.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return err
		}
		klog.FromContext(ctx).Info("Objects came into a namespace as it went, deleting them", "namespace", klog.KRef("", namespace), "resource", r.GroupResource(), "objects", len(late.Items))
		return c.deleteEach(ctx, r, late.Items, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
	})
}

// search has namespaces swept that are not there and of which there are objects.
func (c *controller) search(ctx context.Context) error {
	seen := map[string]bool{}
	look := func(obj runtime.Object) error {
		object, err := meta.Accessor(obj)
		if err != nil {
			return err
		}
		name := object.GetNamespace()
		if name == "" || seen[name] {
			return nil
		}
		seen[name] = true
		if _, there, err := c.namespaces.GetIndexer().GetByKey(name); err != nil || there {
			return err
		}
		c.queue.Add(name)
		return nil
	}
	return c.sweepable(ctx, func(r catalog.Resource) error {
		if r.Resource == "events" {
			return nil // there are many, and they end by themselves
		}
		if local := c.local(r.GroupVersionResource); local != nil {
			list, err := cache.ToListerWatcherWithContext(local).ListWithContext(ctx, metav1.ListOptions{ResourceVersion: "0"})
			if err != nil {
				return err
			}
			return meta.EachListItem(list, look)
		}
		pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return c.metadata.Resource(r.GroupVersionResource).List(ctx, options)
		})
		if err := pages.EachListItem(ctx, metav1.ListOptions{}, look); !unserved(err) {
			return err
		}
		return nil
	})
}

// sweepable does something for all kinds of what may be left in a namespace, and
// returns the errors of all.
func (c *controller) sweepable(ctx context.Context, do func(catalog.Resource) error) error {
	list, err := c.catalog.Get(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range list.Resources {
		if r.Namespaced && r.Can("list", "delete") {
			if err := do(r); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", r.GroupResource(), err))
			}
		}
	}
	return errors.Join(errs...)
}

// swept says what to do about the error of a sweep. A kind that cannot be listed does
// not have a namespace swept for ever that is gone.
func (c *controller) swept(ctx context.Context, name string, err error) error {
	if err == nil || c.queue.Failures(name) < sweeps {
		return err
	}
	klog.FromContext(ctx).Error(err, "Gave up on what may be left in a namespace that is gone, until the next start", "namespace", klog.KRef("", name))
	return nil
}
