// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package work

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// Watch tells of the objects of a resource that the server stores. It keeps none of
// them, and needs no request. What it tells of must not be changed, and has no more than
// metadata: [Object] returns the rest.
type Watch struct {
	Resource schema.GroupVersionResource
	// Fields is a selector. Empty: all objects.
	Fields string
	// Seen hears of each object that is there, and again when it changes. Unset: nobody
	// does.
	Seen func(obj metav1.Object)
	// Gone hears of an object that was deleted. Unset: nobody does.
	Gone func(obj metav1.Object)
	// Listed hears of all objects at the start, and when some may have changed or gone
	// unseen. Unset: Seen hears of each of them.
	Listed func(objs []metav1.Object)
}

// Follow watches until ctx ends. It returns at once if the server does not store the
// resource.
func (s Server) Follow(ctx context.Context, w Watch) {
	local := s.Local(w.Resource)
	if local == nil {
		return
	}
	from := cache.ToListerWatcherWithContext(local)
	narrow := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = w.Fields
			return from.ListWithContext(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = w.Fields
			return from.WatchWithContext(ctx, options)
		},
	}, local)
	cache.NewReflectorWithOptions(narrow, nil, teller{w}, cache.ReflectorOptions{TypeDescription: w.Resource.String()}).RunWithContext(ctx)
}

// Object returns an object of which a [Watch] told, with the type of the store. It may be
// a copy, which costs something.
func Object(obj metav1.Object) runtime.Object {
	object, _ := obj.(runtime.Object)
	if shared, ok := object.(runtime.CacheableObject); ok { // how the store tells many watchers
		return shared.GetObject()
	}
	return object
}

// teller is the store of a reflector that keeps nothing.
type teller struct{ watch Watch }

var _ cache.ReflectorStore = teller{}

// Add implements cache.ReflectorStore.
func (t teller) Add(obj any) error { return tell(t.watch.Seen, obj) }

// Update implements cache.ReflectorStore.
func (t teller) Update(obj any) error { return tell(t.watch.Seen, obj) }

// Delete implements cache.ReflectorStore.
func (t teller) Delete(obj any) error { return tell(t.watch.Gone, obj) }

// Replace implements cache.ReflectorStore.
func (t teller) Replace(list []any, _ string) error {
	objs := make([]metav1.Object, 0, len(list))
	collect := func(obj metav1.Object) { objs = append(objs, obj) }
	if t.watch.Listed == nil {
		collect = t.watch.Seen
	}
	for _, obj := range list {
		if err := tell(collect, obj); err != nil {
			return err
		}
	}
	if t.watch.Listed != nil {
		t.watch.Listed(objs)
	}
	return nil
}

// Resync implements cache.ReflectorStore.
func (t teller) Resync() error { return nil }

func tell(who func(metav1.Object), obj any) error {
	object, err := meta.Accessor(obj)
	if err == nil && who != nil {
		who(object)
	}
	return err
}
