// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/registry/core/service"
	"github.com/stoa-project/stoa/registry/kind"
)

// source returns how a resource is followed together with others; nil if it is not
// served, or in an etcd of its own, whose revisions are not those of others. Nothing is
// opened before it is used. Behind a host, the objects of Kubernetes are the host's.
func (a *assembly) source(config *genericapiserver.Config, resource schema.GroupVersionResource) *kind.Source {
	if a.host != nil && ofKubernetes(resource.Group) {
		of, err := a.host.Source(resource)
		if err != nil {
			return nil
		}
		return of
	}
	overrides, err := genericoptions.ParseEtcdServersOverrides(a.options.Etcd.EtcdServersOverrides)
	elsewhere := func(o genericoptions.EtcdServerOverride) bool { return o.GroupResource == resource.GroupResource() }
	if err != nil || slices.ContainsFunc(overrides, elsewhere) || !serves(a.options.Groups, config, resource) {
		return nil
	}
	s := &source{open: sync.OnceValues(func() (*opened, error) { return a.open(resource) })}
	return &kind.Source{Objects: s, Revision: s.revision, Progress: s.progress, Apart: a.host != nil}
}

// source lists what is in the watch cache, and watches etcd: the watches of a cache do not
// tell how far they are.
type source struct{ open func() (*opened, error) }

type opened struct {
	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	store storage.Interface
	key   string // of all objects
}

func (a *assembly) open(resource schema.GroupVersionResource) (*opened, error) {
	cached, ok := a.stores[resource.Group][resource.Version][resource.Resource].(interface {
		New() runtime.Object
		NewList() runtime.Object
	})
	local := a.stores.local(resource)
	if !ok || local == nil {
		return nil, fmt.Errorf("there is no store of %s", resource.GroupResource())
	}
	store, prefix, err := service.Store(a.raw, resource.GroupResource().String(), cached.New(), cached.NewList(), "")
	if err != nil {
		return nil, err
	}
	return &opened{list: cache.ToListerWatcherWithContext(local).ListWithContext, store: store, key: prefix + "/"}, nil
}

// ListWithContext implements cache.ListerWithContext.
func (s *source) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	o, err := s.open()
	if err != nil {
		return nil, err
	}
	return o.list(ctx, options)
}

// WatchWithContext implements cache.WatcherWithContext.
func (s *source) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	o, err := s.open()
	if err != nil {
		return nil, err
	}
	return o.store.Watch(ctx, o.key, storage.ListOptions{
		ResourceVersion: options.ResourceVersion, Predicate: storage.Everything, Recursive: true, ProgressNotify: true,
	})
}

func (s *source) revision(ctx context.Context) (uint64, error) {
	o, err := s.open()
	if err != nil {
		return 0, err
	}
	return o.store.GetCurrentResourceVersion(ctx)
}

func (s *source) progress(ctx context.Context) error {
	o, err := s.open()
	if err != nil {
		return err
	}
	return o.store.RequestWatchProgress(ctx)
}
