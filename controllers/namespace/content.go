// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package namespace

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/controllers/catalog"
)

const (
	// atOnce is how many kinds of one namespace are emptied at once, and how many
	// objects of a kind that has to be deleted one by one.
	atOnce = 5
	// finalizerSeconds is what Kubernetes expects finalizers to take.
	finalizerSeconds = 15
)

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
	if r.Can("list") {
		// Most kinds have nothing in most namespaces.
		one, err := objects.List(ctx, metav1.ListOptions{Limit: 1})
		if unserved(err) || err == nil && len(one.Items) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
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
	together := false
	if r.Can("deletecollection") {
		err := objects.DeleteCollection(ctx, options, metav1.ListOptions{})
		if together = !unserved(err); together && err != nil {
			return err
		}
	}
	if !r.Can("list") {
		return nil
	}
	if !together {
		list, err := objects.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		if err := c.deleteEach(ctx, r, list.Items, options); err != nil {
			return err
		}
	}
	return c.look(ctx, r, namespace.Name, seconds, found)
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

// deleteEach deletes objects one by one.
func (c *controller) deleteEach(ctx context.Context, r catalog.Resource, items []metav1.PartialObjectMetadata, options metav1.DeleteOptions) error {
	group, ctx := errgroup.WithContext(ctx)
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

// sweep deletes what came into a namespace as it went, of which nobody else would.
func (c *controller) sweep(ctx context.Context, namespace string) error {
	list, err := c.catalog.Get(ctx)
	if err != nil {
		return err
	}
	for _, r := range list.Resources {
		if !r.Namespaced || !r.Can("list", "delete") {
			continue
		}
		late, err := c.metadata.Resource(r.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil || len(late.Items) == 0 { // a server that is down has told of it before
			continue
		}
		// What was seen belongs to a namespace that is gone only if there is no new one yet.
		_, err = c.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return err
		}
		klog.FromContext(ctx).Info("Objects came into a namespace as it went, deleting them", "namespace", klog.KRef("", namespace), "resource", r.GroupResource(), "objects", len(late.Items))
		if err := c.deleteEach(ctx, r, late.Items, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}); err != nil {
			return err
		}
	}
	return nil
}

// unserved says whether a call failed because the server has none such.
func unserved(err error) bool {
	return apierrors.IsMethodNotSupported(err) || apierrors.IsNotFound(err)
}
