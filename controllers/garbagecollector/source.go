// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package garbagecollector

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/controllers/catalog"
)

// source tells the graph of all objects of a resource. It keeps none of them.
type source struct {
	resource catalog.Resource
	graph    *graph
	// changed is called at each change but those of the first list; nil: nobody is.
	changed func()

	dead   bool        // whether the graph has dropped it, which guards this
	synced atomic.Bool // whether it has told of what there was
	began  time.Time
	stop   context.CancelFunc
	// missing is since when the server has no such resource; zero: it has.
	missing time.Time
}

var _ cache.ReflectorStore = (*source)(nil)

// run tells until ctx ends.
func (s *source) run(ctx context.Context, from cache.ListerWatcher) {
	cache.NewReflectorWithOptions(from, nil, s, cache.ReflectorOptions{
		Name: Name, TypeDescription: s.resource.GroupVersionResource.String(),
	}).RunWithContext(ctx)
}

// Add implements cache.ReflectorStore.
func (s *source) Add(obj any) error {
	object, err := meta.Accessor(obj)
	if err != nil {
		return fmt.Errorf("%s: %w", s.resource.GroupResource(), err)
	}
	s.graph.observe(s, object)
	s.tell()
	return nil
}

// Update implements cache.ReflectorStore.
func (s *source) Update(obj any) error { return s.Add(obj) }

// Delete implements cache.ReflectorStore.
func (s *source) Delete(obj any) error {
	object, err := meta.Accessor(obj)
	if err != nil {
		return fmt.Errorf("%s: %w", s.resource.GroupResource(), err)
	}
	s.graph.gone(s, object)
	s.tell()
	return nil
}

// Replace implements cache.ReflectorStore.
func (s *source) Replace(list []any, _ string) error {
	objects := make([]metav1.Object, len(list))
	for i, obj := range list {
		object, err := meta.Accessor(obj)
		if err != nil {
			return fmt.Errorf("%s: %w", s.resource.GroupResource(), err)
		}
		objects[i] = object
	}
	s.graph.replace(s, objects)
	s.synced.Store(true)
	s.tell()
	return nil
}

// Resync implements cache.ReflectorStore.
func (s *source) Resync() error { return nil }

func (s *source) tell() {
	if s.changed != nil {
		s.changed()
	}
}

// overHTTP lists and watches the metadata of a resource by requests.
func overHTTP(client metadata.Interface, resource catalog.Resource) cache.ListerWatcher {
	objects := client.Resource(resource.GroupVersionResource)
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return objects.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return objects.Watch(ctx, options)
		},
	}, client)
}
