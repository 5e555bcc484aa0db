// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package namespace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/controllers/catalog"
)

const (
	// atOnce is how many kinds of one namespace are emptied at once, and how many
	// objects of a kind that has to be deleted one by one.
	atOnce = 5
	// page is how many objects are listed at once to be deleted.
	page = 500
	// finalizerSeconds is what Kubernetes expects finalizers to take.
	finalizerSeconds = 15
)

// errReplaced says that the namespace is gone that was to be emptied. There may be
// another one of its name, whose objects must stay.
var errReplaced = errors.New("the namespace is gone or has another UID")

// pods go first, so that nothing still runs that has lost its configuration or the
// network policies around it.
var pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"} //nolint:gochecknoglobals // constant

// empty deletes what is in a namespace. What cannot be deleted does not keep it from
// deleting the rest.
func (c *controller) empty(ctx context.Context, namespace *corev1.Namespace) *outcome {
	found := newOutcome()
	list, err := c.catalog.Get(ctx)
	if err != nil {
		found.discovery = err
		return found
	}
	found.discovery = list.Err()
	var first, others []catalog.Resource
	for _, r := range list.Resources {
		switch {
		case !r.Namespaced || !r.Can("delete"):
		case r.GroupVersionResource == pods:
			first = append(first, r)
		default:
			others = append(others, r)
		}
	}
	c.emptyOf(ctx, first, namespace, found)
	if !found.remains() && len(found.content) == 0 {
		c.emptyOf(ctx, others, namespace, found)
	}
	return found
}

func (c *controller) emptyOf(ctx context.Context, resources []catalog.Resource, namespace *corev1.Namespace, found *outcome) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, r := range resources {
		group.Go(func() error {
			if err := c.emptyKind(ctx, r, namespace, found); err != nil {
				found.failed(err)
			}
			return nil
		})
	}
	_ = group.Wait() // each failure has been told
}

// emptyKind deletes the objects of one kind.
func (c *controller) emptyKind(ctx context.Context, r catalog.Resource, namespace *corev1.Namespace, found *outcome) error {
	objects := c.metadata.Resource(r.GroupVersionResource).Namespace(namespace.Name)
	limit := int64(page)
	// A collection is deleted by names. If another server may let the namespace go
	// meanwhile, these may be names in a new one when the request gets to them.
	together := r.Can("deletecollection") && (c.alone || !r.Can("list"))
	if together {
		limit = 1
	}
	list := &metav1.PartialObjectMetadataList{}
	if r.Can("list") {
		var err error
		list, err = objects.List(ctx, metav1.ListOptions{Limit: limit})
		if unserved(err) || err == nil && len(list.Items) == 0 {
			return nil // most kinds have nothing in most namespaces
		}
		if err != nil {
			return err
		}
	}
	// What has been seen was in this namespace if there is no other one yet.
	if err := c.same(ctx, namespace); err != nil {
		return err
	}
	var seconds int64
	if r.GroupVersionResource == pods {
		var err error
		if seconds, err = c.grace(ctx, namespace); err != nil {
			return err
		}
	}
	// Nothing is orphaned, whatever the kind does by default: all of it goes.
	options := metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}
	if together {
		err := objects.DeleteCollection(ctx, options, metav1.ListOptions{})
		if together = !unserved(err); together && err != nil {
			return err
		}
	}
	if !together {
		if err := c.deletePages(ctx, r, namespace, list, options); err != nil {
			return err
		}
	}
	if !r.Can("list") {
		return nil
	}
	return c.look(ctx, r, namespace.Name, seconds, found)
}

// deletePages deletes the objects of a page, and of those that follow it.
func (c *controller) deletePages(ctx context.Context, r catalog.Resource, namespace *corev1.Namespace, list *metav1.PartialObjectMetadataList, options metav1.DeleteOptions) error {
	for {
		if err := c.deleteEach(ctx, r, list.Items, options); err != nil || list.Continue == "" {
			return err
		}
		var err error
		list, err = c.metadata.Resource(r.GroupVersionResource).Namespace(namespace.Name).List(ctx, metav1.ListOptions{Limit: page, Continue: list.Continue})
		if err != nil {
			return err
		}
		if err := c.same(ctx, namespace); err != nil {
			return err
		}
	}
}

// same returns an error if the namespace is not there any more.
func (c *controller) same(ctx context.Context, namespace *corev1.Namespace) error {
	now, err := c.client.CoreV1().Namespaces().Get(ctx, namespace.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && now.UID != namespace.UID {
		return errReplaced
	}
	return err
}

// look counts what is left of a kind after a delete.
func (c *controller) look(ctx context.Context, r catalog.Resource, namespace string, seconds int64, found *outcome) error {
	left, err := c.metadata.Resource(r.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil || len(left.Items) == 0 {
		return err
	}
	if seconds == 0 {
		for i := range left.Items {
			if len(left.Items[i].Finalizers) > 0 {
				seconds = finalizerSeconds
			}
		}
	}
	found.left(r.GroupVersionResource, left.Items, seconds)
	if seconds == 0 {
		return fmt.Errorf("unexpected items still remain in namespace: %s for gvr: %v", namespace, r.GroupVersionResource)
	}
	return nil
}

// deleteEach deletes objects one by one. One that cannot be deleted keeps no other.
func (c *controller) deleteEach(ctx context.Context, r catalog.Resource, items []metav1.PartialObjectMetadata, options metav1.DeleteOptions) error {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range items {
		group.Go(func() error {
			own := options
			own.Preconditions = &metav1.Preconditions{UID: &items[i].UID}
			err := c.metadata.Resource(r.GroupVersionResource).Namespace(items[i].Namespace).Delete(ctx, items[i].Name, own)
			if apierrors.IsNotFound(err) || apierrors.IsConflict(err) || apierrors.IsMethodNotSupported(err) {
				return nil
			}
			return err
		})
	}
	return group.Wait()
}

// grace is how many more seconds the pods of a namespace may take to end.
func (c *controller) grace(ctx context.Context, namespace *corev1.Namespace) (int64, error) {
	list, err := c.client.CoreV1().Pods(namespace.Name).List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	var longest int64
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed || pod.Spec.TerminationGracePeriodSeconds == nil {
			continue
		}
		longest = max(longest, *pod.Spec.TerminationGracePeriodSeconds)
	}
	return max(longest-int64(time.Since(namespace.DeletionTimestamp.Time).Seconds()), 0), nil
}

// unserved says whether a call failed because the server has none such.
func unserved(err error) bool {
	return apierrors.IsMethodNotSupported(err) || apierrors.IsNotFound(err)
}
