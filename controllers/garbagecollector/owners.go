// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package garbagecollector

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/controllers/catalog"
)

// lookUp asks the server whether an owner is there.
func (c *controller) lookUp(ctx context.Context, n *node, claim *claim) error {
	to := n.reference(claim.OwnerReference)
	resource, ok := c.kind(to.version, to.kind)
	switch {
	case !ok:
		claim.standing = unresolved
	case resource.Namespaced && n.namespace == "":
		// Nothing can own it like that, and so nobody can say that its owner is gone.
		claim.standing = exists
		c.reportElsewhere(ctx, n, resource, claim.OwnerReference)
	default:
		var objects metadata.ResourceInterface = c.metadata.Resource(resource.GroupVersionResource)
		if resource.Namespaced {
			objects = c.metadata.Resource(resource.GroupVersionResource).Namespace(n.namespace)
		}
		found, err := objects.Get(ctx, claim.Name, metav1.GetOptions{})
		switch {
		case apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse) && apierrors.IsNotFound(err):
			claim.standing = unresolved // the resource itself is not there
			c.stale()
		case err == nil && found.UID == claim.UID:
			claim.standing = exists
		case err == nil, apierrors.IsNotFound(err):
			claim.standing = absent
			if resource.Namespaced {
				c.reportElsewhere(ctx, n, resource, claim.OwnerReference)
			}
		default:
			return fmt.Errorf("owner %s %q of %s %s: %w", resource.GroupResource(), claim.Name, n.source.resource.GroupResource(), klog.KRef(n.namespace, n.name), err)
		}
	}
	c.graph.settle(n, *claim)
	return nil
}

// reportElsewhere makes an event if an owner is in another namespace than the object,
// where it does not count. That is looked for once for each owner, and in memory.
func (c *controller) reportElsewhere(ctx context.Context, n *node, resource catalog.Resource, ref metav1.OwnerReference) {
	if !c.graph.ask(n, ref) {
		return
	}
	logger := klog.FromContext(ctx)
	others, err := c.named(ctx, resource, ref.Name)
	if err != nil {
		logger.V(4).Info("Could not look for an owner in other namespaces", "resource", resource.GroupResource(), "name", ref.Name, "err", err)
		return
	}
	err = meta.EachListItem(others, func(obj runtime.Object) error {
		other, err := meta.Accessor(obj)
		if err != nil || other.GetUID() != ref.UID || other.GetNamespace() == n.namespace {
			return err
		}
		logger.V(2).Info("An object names an owner that is in another namespace", "resource", n.source.resource.GroupResource(), "object", klog.KRef(n.namespace, n.name), "owner", klog.KObj(other))
		return c.warn(ctx, n, ref)
	})
	if err != nil {
		logger.V(4).Info("Could not make an event", "err", err)
	}
}

// named lists the objects of a name in all namespaces: in the stores of the process, or
// as the server has them in memory.
func (c *controller) named(ctx context.Context, resource catalog.Resource, name string) (runtime.Object, error) {
	options := metav1.ListOptions{ResourceVersion: "0", FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()}
	if local := c.local(resource.GroupVersionResource); local != nil {
		return cache.ToListerWatcherWithContext(local).ListWithContext(ctx, options)
	}
	return c.metadata.Resource(resource.GroupVersionResource).List(ctx, options)
}

// warn makes the event of Kubernetes.
func (c *controller) warn(ctx context.Context, n *node, ref metav1.OwnerReference) error {
	namespace, now := n.namespace, metav1.Now()
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	version := schema.GroupVersion{Group: n.source.resource.Group, Version: n.source.resource.Version}
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s.%x", n.name, time.Now().UnixNano())},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: version.String(), Kind: n.source.resource.Kind, Namespace: n.namespace, Name: n.name, UID: n.uid,
		},
		Type: corev1.EventTypeWarning, Reason: "OwnerRefInvalidNamespace",
		Message: fmt.Sprintf("ownerRef [%s/%s, namespace: %s, name: %s, uid: %s] does not exist in namespace %q",
			ref.APIVersion, ref.Kind, n.namespace, ref.Name, ref.UID, n.namespace),
		Source: corev1.EventSource{Component: Name}, ReportingController: Name, FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}
	_, err := c.client.CoreV1().Events(namespace).Create(ctx, event, metav1.CreateOptions{})
	return err
}
