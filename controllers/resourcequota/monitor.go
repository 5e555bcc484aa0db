// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resourcequota

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	apiquota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/controllers/catalog"
	"github.com/stoa-project/stoa/controllers/work"
)

// monitor watches for objects of a resource that go, or use something else.
type monitor struct {
	resource schema.GroupVersionResource
	informer cache.SharedIndexInformer
	began    time.Time
	stop     context.CancelFunc
	// keys are those of the quotas that limit the resource, and quotas the same by namespace.
	// The controller's lock guards them.
	keys   sets.Set[string]
	quotas map[string]sets.Set[string]
}

// seen is what is known of what a quota limits.
type seen struct {
	// evaluators can count, and missing cannot yet: their resources do not answer.
	evaluators, missing []apiquota.Evaluator
	// wait is how long to wait for them; zero: no longer.
	wait time.Duration
}

// watch makes sure that all is watched that a quota limits.
func (c *controller) watch(ctx context.Context, key string, a *account) (seen, error) {
	devices := &quota.Devices{Client: c.server.Client, Done: ctx.Done()}
	list := func(resource schema.GroupVersionResource) generic.ListFuncByNamespace {
		return func(namespace string) ([]runtime.Object, error) { return c.list(ctx, resource, namespace) }
	}
	var out seen
	var served *catalog.List
	all, limited := true, map[schema.GroupResource]bool{}
	for _, e := range quota.Limiting(apiquota.ResourceNames(a.quota.Spec.Hard), devices, list) {
		resource := e.GroupResource()
		m := c.join(resource, key, a.namespaces)
		if m == nil {
			var err error
			if served, err = c.server.Catalog.Get(ctx); err != nil {
				return seen{}, err
			}
			found, ok := served.Resource(resource)
			if !ok || !found.Namespaced || !found.Can("create", "list", "watch", "delete") {
				all = false
				continue
			}
			if lacks, err := c.lacks(ctx, resource); err != nil {
				return seen{}, err
			} else if lacks { // the tenant says so in a condition
				c.queue.AddAfter(key, patience)
				continue
			}
			if err := c.monitor(ctx, found.GroupVersionResource); err != nil {
				return seen{}, err
			}
			if m = c.join(resource, key, a.namespaces); m == nil {
				return seen{}, work.AgainError{} // it has ended at once
			}
		}
		limited[resource] = true
		if m.informer.HasSynced() {
			out.evaluators = append(out.evaluators, e)
			continue
		}
		out.missing = append(out.missing, e)
		out.wait = max(out.wait, patience-time.Since(m.began))
	}
	c.trim(key, a.namespaces, limited)
	c.lock.Lock()
	defer c.lock.Unlock()
	if delete(c.waiting, key); !all {
		c.waiting[key] = served
		c.queue.AddAfter(unserved, rediscovery)
	}
	return out, nil
}

// lacks says whether a right is missing to count a resource.
func (c *controller) lacks(ctx context.Context, resource schema.GroupResource) (bool, error) {
	if c.server.Lacks == nil {
		return false, nil
	}
	lacks, err := c.server.Lacks(ctx, resource)
	return len(lacks) > 0, err
}

// rediscover has quotas counted again that name what was not served, if the server
// serves something else.
func (c *controller) rediscover(ctx context.Context) error {
	served, err := c.server.Catalog.Get(ctx)
	if err != nil {
		return err
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	for key, before := range c.waiting {
		if before != served {
			delete(c.waiting, key)
			c.queue.Add(key)
		}
	}
	if len(c.waiting) > 0 {
		c.queue.AddAfter(unserved, rediscovery)
	}
	return nil
}

// join has a quota counted again when something of a resource goes in its namespaces, and
// returns its monitor; nil: there is none.
func (c *controller) join(resource schema.GroupResource, key string, namespaces []string) *monitor {
	c.lock.Lock()
	defer c.lock.Unlock()
	m := c.monitors[resource]
	if m == nil {
		return nil
	}
	m.keys.Insert(key)
	for _, namespace := range namespaces {
		if m.quotas[namespace] == nil {
			m.quotas[namespace] = sets.New[string]()
		}
		m.quotas[namespace].Insert(key)
		if c.joined[key] == nil {
			c.joined[key] = sets.New[string]()
		}
		c.joined[key].Insert(namespace)
	}
	return m
}

// gone has the quotas of a namespace counted again that limit what is no more, or is
// not what it was.
func (c *controller) gone(m *monitor, namespace string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for key := range m.quotas[namespace] {
		c.queue.Add(key)
	}
}

// wake has all quotas counted again that limit the resource of a monitor.
func (c *controller) wake(m *monitor, after time.Duration) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for key := range m.keys {
		c.queue.AddAfter(key, after)
	}
}

func (c *controller) known(resource schema.GroupResource) *monitor {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.monitors[resource]
}

// monitor begins to watch a resource, unless somebody has.
func (c *controller) monitor(ctx context.Context, resource schema.GroupVersionResource) error {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.monitors[resource.GroupResource()] != nil {
		return nil
	}
	m := &monitor{resource: resource, began: time.Now(), keys: sets.New[string](), quotas: map[string]sets.Set[string]{}}
	all := metav1.NamespaceAll
	switch resource.GroupResource() { // of these, usage changes
	case schema.GroupResource{Resource: "pods"}:
		m.informer = coreinformers.NewPodInformer(c.server.Client, all, 0, nil)
	case schema.GroupResource{Resource: "services"}:
		m.informer = coreinformers.NewServiceInformer(c.server.Client, all, 0, nil)
	case schema.GroupResource{Resource: "persistentvolumeclaims"}:
		m.informer = coreinformers.NewPersistentVolumeClaimInformer(c.server.Client, all, 0, nil)
	default:
		m.informer = metadatainformer.NewFilteredMetadataInformer(c.server.Metadata, resource, all, 0, nil, nil).Informer()
	}
	if err := c.listen(m); err != nil {
		return err
	}
	ctx, m.stop = context.WithCancel(ctx)
	c.monitors[resource.GroupResource()] = m
	c.running.Go(func() { m.informer.RunWithContext(ctx) })
	c.running.Go(func() {
		if cache.WaitFor(ctx, "", m.informer.HasSyncedChecker()) {
			c.wake(m, 0)
		}
	})
	return nil
}

// listen has quotas counted again because of what a monitor sees.
func (c *controller) listen(m *monitor) error {
	err := m.informer.SetTransform(func(obj any) (any, error) {
		if stored, err := meta.Accessor(obj); err == nil && stored.GetUID() != "" {
			c.server.Charges.Stored(stored.GetUID(), stored.GetResourceVersion())
		}
		return remember(obj)
	})
	if err != nil {
		return err
	}
	changed := func(obj any) {
		if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = unknown.Obj
		}
		if known, ok := obj.(*metav1.PartialObjectMetadata); ok {
			c.gone(m, known.Namespace)
		}
	}
	_, err = m.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(old, obj any) {
			before, ok := old.(*metav1.PartialObjectMetadata)
			now, okNow := obj.(*metav1.PartialObjectMetadata)
			if ok && okNow && before.Kind != now.Kind {
				changed(obj)
			}
		},
		DeleteFunc: changed,
	})
	if err != nil {
		return err
	}
	return m.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *cache.Reflector, err error) {
		if apierrors.IsNotFound(err) { // the resource is not served any more
			c.drop(m)
			return
		}
		cache.DefaultWatchErrorHandler(ctx, r, err)
	})
}

// remember keeps of an object where it is, and what it uses, as its kind.
func remember(obj any) (any, error) {
	object, ok := obj.(runtime.Object)
	if !ok {
		return obj, nil
	}
	if known, ok := obj.(*metav1.PartialObjectMetadata); ok && known.UID == "" {
		return obj, nil // it has been here before
	}
	accessor, err := meta.Accessor(obj)
	if err != nil {
		return obj, nil //nolint:nilerr // what is no object is not changed
	}
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{Kind: quota.Digest(object)},
		ObjectMeta: metav1.ObjectMeta{Namespace: accessor.GetNamespace(), Name: accessor.GetName(), ResourceVersion: accessor.GetResourceVersion()},
	}, nil
}

// drop ends a monitor whose resource is not there. Its quotas see soon whether it is
// again.
func (c *controller) drop(m *monitor) {
	c.lock.Lock()
	m.stop()
	if c.monitors[m.resource.GroupResource()] == m {
		delete(c.monitors, m.resource.GroupResource())
	}
	c.lock.Unlock()
	c.wake(m, rediscovery)
}

// forget ends what is done for a quota that is gone.
func (c *controller) forget(key string) {
	c.trim(key, nil, nil)
	c.lock.Lock()
	defer c.lock.Unlock()
	delete(c.waiting, key)
}

// trim takes a quota from the monitors of what it does not limit, and of where it does not
// hold, and ends those that no quota needs any more.
func (c *controller) trim(key string, namespaces []string, limited map[schema.GroupResource]bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	now := sets.New(namespaces...)
	for resource, m := range c.monitors {
		if !m.keys.Has(key) {
			continue
		}
		for namespace := range c.joined[key] {
			if limited[resource] && now.Has(namespace) {
				continue
			}
			if m.quotas[namespace].Delete(key); len(m.quotas[namespace]) == 0 {
				delete(m.quotas, namespace)
			}
		}
		if limited[resource] {
			continue
		}
		if m.keys.Delete(key); len(m.keys) == 0 {
			m.stop()
			delete(c.monitors, resource)
		}
	}
	if delete(c.joined, key); len(namespaces) > 0 {
		c.joined[key] = now
	}
}

// list returns the objects of a namespace: those of which more is limited than the
// number, and the names of others.
func (c *controller) list(ctx context.Context, resource schema.GroupVersionResource, namespace string) ([]runtime.Object, error) {
	var list runtime.Object
	var err error
	options := metav1.ListOptions{}
	switch resource.GroupResource() {
	case schema.GroupResource{Resource: "pods"}:
		list, err = c.server.Client.CoreV1().Pods(namespace).List(ctx, options)
	case schema.GroupResource{Resource: "services"}:
		list, err = c.server.Client.CoreV1().Services(namespace).List(ctx, options)
	case schema.GroupResource{Resource: "persistentvolumeclaims"}:
		list, err = c.server.Client.CoreV1().PersistentVolumeClaims(namespace).List(ctx, options)
	case schema.GroupResource{Group: "resource.k8s.io", Resource: "resourceclaims"}:
		list, err = c.server.Client.ResourceV1().ResourceClaims(namespace).List(ctx, options)
	default:
		m := c.known(resource.GroupResource())
		if m == nil {
			return nil, fmt.Errorf("%s is not served", resource.GroupResource())
		}
		list, err = c.server.Metadata.Resource(m.resource).Namespace(namespace).List(ctx, options)
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", resource.GroupResource(), err)
	}
	return meta.ExtractList(list)
}
