// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package garbagecollector

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/controllers/work"
)

// check deletes an object if its owners are gone, frees it of those that are if others
// are left, and lets it go if it waits for dependents and has none.
func (c *controller) check(ctx context.Context, uid string) error {
	n, claims, ok := c.graph.get(types.UID(uid))
	switch {
	case !ok || n.waitsFor(metav1.FinalizerOrphanDependents):
		return nil
	case n.waitsFor(metav1.FinalizerDeleteDependents):
		c.graph.tell(n.uid)
		return c.release(ctx, &n)
	case n.deleting:
		return nil
	}
	var kept []metav1.OwnerReference
	waits := false
	for _, claim := range claims {
		if claim.standing == unknown && !claim.waits {
			if err := c.lookUp(ctx, &n, &claim); err != nil {
				return err
			}
		}
		switch {
		case claim.standing == absent:
		case claim.waits:
			waits = true
		default:
			kept = append(kept, claim.OwnerReference)
		}
	}
	switch {
	case len(kept) == len(claims):
		return nil
	case len(kept) > 0:
		return c.setOwners(ctx, &n, kept)
	}
	policy := metav1.DeletePropagationBackground
	switch {
	case waits && len(c.graph.dependents(n.uid)) > 0:
		// Its owner waits for it, and so does it for its own dependents.
		if refs, circle := c.unblocked(&n); circle {
			if err := c.setOwners(ctx, &n, refs); err != nil {
				return err
			}
			return work.AgainError{}
		}
		policy = metav1.DeletePropagationForeground
	case slices.Contains(n.finalizers, metav1.FinalizerOrphanDependents):
		policy = metav1.DeletePropagationOrphan
	case slices.Contains(n.finalizers, metav1.FinalizerDeleteDependents):
		policy = metav1.DeletePropagationForeground
	}
	return c.delete(ctx, &n, policy)
}

// unblocked says whether an object blocks an owner and has a dependent that waits too:
// they may own each other, and wait without end. Without the blocks that it returns,
// they do not.
func (c *controller) unblocked(n *node) (refs []metav1.OwnerReference, circle bool) {
	if !slices.ContainsFunc(n.refs, blocks) {
		return nil, false
	}
	for _, dependent := range c.graph.dependents(n.uid) {
		circle = circle || dependent.waitsFor(metav1.FinalizerDeleteDependents)
	}
	for _, ref := range n.refs {
		ref.BlockOwnerDeletion = new(false)
		refs = append(refs, ref)
	}
	return refs, circle
}

// release lets an object go that waits for its dependents, if none is left that it has
// to wait for.
func (c *controller) release(ctx context.Context, n *node) error {
	if c.graph.blocked(n.uid) {
		return nil
	}
	if err := c.current(ctx); err != nil || c.graph.blocked(n.uid) {
		return err
	}
	return c.removeFinalizer(ctx, n, metav1.FinalizerDeleteDependents)
}

// orphan frees the dependents of an object that waits for that, and lets it go.
func (c *controller) orphan(ctx context.Context, uid string) error {
	n, _, ok := c.graph.get(types.UID(uid))
	if !ok || !n.waitsFor(metav1.FinalizerOrphanDependents) {
		return nil
	}
	if err := c.current(ctx); err != nil {
		return err
	}
	// What is not known of now would be garbage later, when its owner is gone.
	if missing := c.missing(); missing != nil {
		return work.AgainError{Why: fmt.Errorf("orphan what %s %s owns: %w", n.source.resource.GroupResource(), klog.KRef(n.namespace, n.name), missing)}
	}
	dependents := c.graph.dependents(n.uid)
	var group errgroup.Group // one that fails keeps no other
	group.SetLimit(workers)
	for i := range dependents {
		group.Go(func() error {
			refs := slices.DeleteFunc(slices.Clone(dependents[i].refs), func(ref metav1.OwnerReference) bool { return ref.UID == n.uid })
			return c.setOwners(ctx, &dependents[i], refs)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(dependents) > 0 {
		return work.AgainError{} // until the graph has none
	}
	return c.removeFinalizer(ctx, &n, metav1.FinalizerOrphanDependents)
}

func (c *controller) objects(n *node) metadata.ResourceInterface {
	if !n.source.resource.Namespaced {
		return c.metadata.Resource(n.source.resource.GroupVersionResource)
	}
	return c.metadata.Resource(n.source.resource.GroupVersionResource).Namespace(n.namespace)
}

func (c *controller) delete(ctx context.Context, n *node, policy metav1.DeletionPropagation) error {
	err := c.objects(n).Delete(ctx, n.name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &n.uid, ResourceVersion: &n.version}, PropagationPolicy: &policy,
	})
	if err != nil {
		return c.failed(ctx, n, "delete", err)
	}
	klog.FromContext(ctx).V(2).Info("Deleted an object whose owners are gone or go", "resource", n.source.resource.GroupResource(), "object", klog.KRef(n.namespace, n.name), "uid", n.uid, "propagationPolicy", policy)
	return nil
}

// setOwners changes the owners of an object.
func (c *controller) setOwners(ctx context.Context, n *node, refs []metav1.OwnerReference) error {
	now, err := c.patch(ctx, n, map[string]any{"ownerReferences": refs})
	if err != nil {
		return c.failed(ctx, n, "change the owners of", err)
	}
	c.graph.refine(n.source, now)
	return nil
}

func (c *controller) removeFinalizer(ctx context.Context, n *node, finalizer string) error {
	left := slices.DeleteFunc(slices.Clone(n.finalizers), func(f string) bool { return f == finalizer })
	if _, err := c.patch(ctx, n, map[string]any{"finalizers": left}); err != nil {
		return c.failed(ctx, n, "remove a finalizer of", err)
	}
	return nil
}

// patch changes the metadata of an object in the version that the graph knows.
func (c *controller) patch(ctx context.Context, n *node, change map[string]any) (*metav1.PartialObjectMetadata, error) {
	change["uid"], change["resourceVersion"] = n.uid, n.version
	body, err := json.Marshal(map[string]any{"metadata": change})
	if err != nil {
		return nil, err
	}
	return c.objects(n).Patch(ctx, n.name, types.MergePatchType, body, metav1.PatchOptions{})
}

// failed says what the error of a write means. An object that has changed is read, so
// that the graph need not wait for its source, and looked at again.
func (c *controller) failed(ctx context.Context, n *node, what string, err error) error {
	described := fmt.Errorf("%s %s %s: %w", what, n.source.resource.GroupResource(), klog.KRef(n.namespace, n.name), err)
	switch {
	case apierrors.IsNotFound(err):
		return nil // its source will tell
	case !apierrors.IsConflict(err):
		return described
	}
	now, getErr := c.objects(n).Get(ctx, n.name, metav1.GetOptions{})
	if getErr == nil && now.UID == n.uid {
		c.graph.refine(n.source, now)
	}
	return work.AgainError{Why: described}
}
