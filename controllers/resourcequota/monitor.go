// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resourcequota

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiquota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/controllers/catalog"
)

// monitor watches for objects of a resource that go, or use something else.
type monitor struct {
	resource  schema.GroupVersionResource
	evaluator apiquota.Evaluator
	informer  cache.SharedIndexInformer
	stop      context.CancelFunc
}

// watch makes sure that all is watched that a quota limits, and returns the evaluators
// that count it, and whether there is one for all that it names.
func (c *controller) watch(ctx context.Context, q *corev1.ResourceQuota) (evaluators []apiquota.Evaluator, all bool, err error) {
	devices := &quota.Devices{Client: c.server.Client, Done: ctx.Done()}
	list := func(resource schema.GroupVersionResource) generic.ListFuncByNamespace {
		return func(namespace string) ([]runtime.Object, error) { return c.list(ctx, resource, namespace) }
	}
	all = true
	var served *catalog.List
	for _, e := range limiting(q, devices, list) {
		resource := e.GroupResource()
		known := c.known(resource)
		if known == nil {
			if served == nil {
				if served, err = c.server.Catalog.Get(ctx); err != nil {
					return nil, false, err
				}
			}
			found, ok := served.Resource(resource)
			if !ok || !found.Namespaced || !found.Can("create", "list", "watch", "delete") {
				all = false
				continue
			}
			if known, err = c.monitor(ctx, found.GroupVersionResource, e); err != nil {
				return nil, false, err
			}
		}
		if !known.synced(ctx) {
			all = false
			continue
		}
		evaluators = append(evaluators, e)
	}
	return evaluators, all, nil
}

// synced says whether a monitor sees what goes from now on.
func (m *monitor) synced(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return cache.WaitFor(ctx, "", m.informer.HasSyncedChecker())
}

// limiting are the evaluators of what a quota limits.
func limiting(q *corev1.ResourceQuota, devices *quota.Devices, list quota.Lister) []apiquota.Evaluator {
	names := apiquota.ResourceNames(q.Spec.Hard)
	ignored := quota.Ignored()
	var out []apiquota.Evaluator
	for _, e := range quota.Evaluators(devices, list) {
		if len(e.MatchingResources(names)) > 0 {
			out = append(out, e)
		}
		ignored[e.GroupResource()] = struct{}{}
	}
	for _, name := range names {
		text, ok := strings.CutPrefix(string(name), "count/")
		if !ok {
			continue
		}
		resource := schema.ParseGroupResource(text)
		if _, done := ignored[resource]; !done {
			// Which version does not matter to list, which is asked for the resource alone.
			out = append(out, generic.NewObjectCountEvaluator(resource, list(resource.WithVersion("")), ""))
		}
	}
	return out
}

func (c *controller) known(resource schema.GroupResource) *monitor {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.monitors[resource]
}

// monitor begins to watch a resource.
func (c *controller) monitor(ctx context.Context, resource schema.GroupVersionResource, e apiquota.Evaluator) (*monitor, error) {
	ctx, stop := context.WithCancel(ctx)
	m := &monitor{resource: resource, evaluator: e, stop: stop}
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
	if err := m.informer.SetTransform(remember); err != nil {
		stop()
		return nil, err
	}
	changed := func(obj any) {
		if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = unknown.Obj
		}
		if known, ok := obj.(*metav1.PartialObjectMetadata); ok {
			c.gone(e, known.Namespace)
		}
	}
	_, err := m.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(old, obj any) {
			before, ok := old.(*metav1.PartialObjectMetadata)
			now, okNow := obj.(*metav1.PartialObjectMetadata)
			if ok && okNow && before.Kind != now.Kind {
				changed(obj)
			}
		},
		DeleteFunc: changed,
	})
	if err == nil {
		err = m.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *cache.Reflector, err error) {
			if apierrors.IsNotFound(err) { // the resource is not served any more
				c.drop(m)
				return
			}
			cache.DefaultWatchErrorHandler(ctx, r, err)
		})
	}
	if err != nil {
		stop()
		return nil, err
	}
	c.lock.Lock()
	c.monitors[resource.GroupResource()] = m
	c.lock.Unlock()
	c.running.Go(func() { m.informer.RunWithContext(ctx) })
	return m, nil
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

// drop ends a monitor.
func (c *controller) drop(m *monitor) {
	m.stop()
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.monitors[m.resource.GroupResource()] == m {
		delete(c.monitors, m.resource.GroupResource())
	}
}

// trim ends the monitors that no quota needs any more.
func (c *controller) trim() {
	quotas, err := c.quotas.List(labels.Everything())
	if err != nil {
		return // a lister of what is in memory has no errors
	}
	var names []corev1.ResourceName
	for _, q := range quotas {
		names = append(names, apiquota.ResourceNames(q.Spec.Hard)...)
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	for resource, m := range c.monitors {
		if len(m.evaluator.MatchingResources(names)) == 0 {
			m.stop()
			delete(c.monitors, resource)
		}
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
