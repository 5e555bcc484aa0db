// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"sync"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Source is a resource whose objects say what a node may read.
type Source struct {
	// Resource is which one. A server that does not serve it leaves the source out.
	Resource schema.GroupVersionResource

	kind    kind
	example runtime.Object
	watcher cache.ListerWatcher
	read    func(any) (*entry, error)
}

// lister is what a typed client can do with a resource.
type lister[L runtime.Object] interface {
	List(ctx context.Context, o metav1.ListOptions) (L, error)
	Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}

// newSource returns a source whose objects, like example, of says something about.
func newSource[T, L runtime.Object](resource schema.GroupVersionResource, k kind, client kubernetes.Interface, l lister[L], example T, of func(T) *entry) Source {
	return Source{
		Resource: resource, kind: k, example: example,
		watcher: cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
			ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return l.List(ctx, o) },
			WatchFuncWithContext: l.Watch,
		}, client),
		read: func(obj any) (*entry, error) {
			switch typed := obj.(type) {
			case *entry: // read before
				return typed, nil
			case T:
				return of(typed), nil
			}
			return nil, fmt.Errorf("%s with an object of type %T", resource.Resource, obj)
		},
	}
}

// Sources returns all sources. None is asked before it is needed.
func Sources(client kubernetes.Interface) []Source {
	v1 := func(group, resource string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Group: group, Version: "v1", Resource: resource}
	}
	return []Source{
		newSource(v1("", "pods"), pods, client, client.CoreV1().Pods(""), &corev1.Pod{}, ofPod),
		newSource(v1("", "persistentvolumes"), volumes, client, client.CoreV1().PersistentVolumes(), &corev1.PersistentVolume{}, ofVolume),
		newSource(v1("storage.k8s.io", "volumeattachments"), attachments, client, client.StorageV1().VolumeAttachments(), &storagev1.VolumeAttachment{}, ofAttachment),
		newSource(v1("resource.k8s.io", "resourceslices"), slicesOfNodes, client, client.ResourceV1().ResourceSlices(), &resourcev1.ResourceSlice{}, ofSlice),
		newSource(v1("certificates.k8s.io", "podcertificaterequests"), certificateRequests, client, client.CertificatesV1().PodCertificateRequests(""), &certificatesv1.PodCertificateRequest{}, ofCertificateRequest),
	}
}

// feed keeps the graph by what a reflector sees of a source. It keeps no objects.
type feed struct {
	Source

	graph  *graph
	listed func() // called when the graph has what was there first
}

var _ cache.TransformingStore = (*feed)(nil)

// start has the graph follow the source until ctx ends. The channel is closed when it
// has what was there first.
func (s Source) start(ctx context.Context, g *graph, running *sync.WaitGroup) <-chan struct{} {
	first := make(chan struct{})
	f := &feed{Source: s, graph: g, listed: sync.OnceFunc(func() { close(first) })}
	reflector := cache.NewReflectorWithOptions(s.watcher, s.example, f, cache.ReflectorOptions{Name: "node-authorizer/" + s.Resource.Resource})
	running.Go(func() { reflector.RunWithContext(ctx) })
	return first
}

// Transformer implements cache.TransformingStore: a reflector need not keep objects
// while it lists them.
func (f *feed) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) { return f.read(obj) }
}

// Add implements cache.ReflectorStore.
func (f *feed) Add(obj any) error { return f.Update(obj) }

// Update implements cache.ReflectorStore.
func (f *feed) Update(obj any) error {
	e, err := f.read(obj)
	if err != nil {
		return err
	}
	f.graph.put(e)
	return nil
}

// Delete implements cache.ReflectorStore.
func (f *feed) Delete(obj any) error {
	e, err := f.read(obj)
	if err != nil {
		return err
	}
	f.graph.remove(e.object)
	return nil
}

// Replace implements cache.ReflectorStore.
func (f *feed) Replace(all []any, _ string) error {
	entries := make([]*entry, len(all))
	for i, obj := range all {
		var err error
		if entries[i], err = f.read(obj); err != nil {
			return err
		}
	}
	f.graph.replace(f.kind, entries)
	f.listed()
	return nil
}

// Resync implements cache.ReflectorStore.
func (f *feed) Resync() error { return nil }
