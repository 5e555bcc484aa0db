// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"google.golang.org/grpc/metadata"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/cacher"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/apiserver/pkg/storage/value/encrypt/identity"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/tools/cache"
)

// RESTOptionsGetter returns a getter that differs from delegate in where the
// stores come from: from clients, with a watch cache unless uncached says that
// the resource has none.
func (c *Clients) RESTOptionsGetter(ctx context.Context, delegate generic.RESTOptionsGetter, uncached func(schema.GroupResource) bool) generic.RESTOptionsGetter {
	return &optionsGetter{delegate: delegate, decorate: func(gr schema.GroupResource) generic.StorageDecorator {
		return c.decorator(ctx, !uncached(gr))
	}}
}

type optionsGetter struct {
	delegate generic.RESTOptionsGetter
	decorate func(schema.GroupResource) generic.StorageDecorator
}

// GetRESTOptions implements generic.RESTOptionsGetter.
func (g *optionsGetter) GetRESTOptions(resource schema.GroupResource, example runtime.Object) (generic.RESTOptions, error) {
	options, err := g.delegate.GetRESTOptions(resource, example)
	if err == nil {
		options.Decorator = g.decorate(resource)
	}
	return options, err
}

func (c *Clients) decorator(ctx context.Context, cached bool) generic.StorageDecorator {
	return func(
		config *storagebackend.ConfigForResource, prefix string, key func(runtime.Object) (string, error),
		newObject, newList func() runtime.Object, attributes storage.AttrFunc,
		triggers storage.IndexerFuncs, indexers *cache.Indexers,
	) (storage.Interface, factory.DestroyFunc, error) {
		store, closeRaw, err := c.etcd3(ctx, config, prefix, newObject, newList)
		if err != nil {
			return nil, nil, err
		}
		raw := ownStream{Interface: store, id: strconv.FormatInt(c.streams.Add(1), 10)}
		if !cached {
			return raw, c.own(closeRaw), nil
		}
		alarms := &alarms{}
		watchCache, err := cacher.NewCacherFromConfig(cacher.Config{
			Clock: alarms, Storage: raw, Versioner: storage.APIObjectVersioner{}, Codec: config.Codec,
			GroupResource: config.GroupResource, EventsHistoryWindow: config.EventsHistoryWindow,
			ResourcePrefix: prefix, KeyFunc: key, NewFunc: newObject, NewListFunc: newList,
			GetAttrsFunc: attributes, IndexerFuncs: triggers, Indexers: indexers,
		})
		if err != nil {
			closeRaw()
			return nil, nil, fmt.Errorf("watch cache of %s: %w", config.GroupResource, err)
		}
		delegator := cacher.NewCacheDelegator(watchCache, raw)
		return delegator, c.own(func() {
			delegator.Stop()
			watchCache.Stop()
			alarms.close()
			closeRaw()
		}), nil
	}
}

// own makes a function that closes a store safe to call twice, by who serves the
// store and by Close. Stores of custom resources come and go, so one that is closed
// is forgotten.
func (c *Clients) own(closeStore func()) factory.DestroyFunc {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	id := c.made
	once := sync.OnceFunc(func() {
		closeStore()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.stores, id)
	})
	if c.stores == nil {
		c.stores = map[int]func(){}
	}
	c.stores[id] = once
	return once
}

// etcd3 returns the store of one resource, without a cache.
func (c *Clients) etcd3(ctx context.Context, config *storagebackend.ConfigForResource, prefix string, newObject, newList func() runtime.Object) (storage.Interface, factory.DestroyFunc, error) {
	shared, err := c.get(ctx, config.Transport)
	if err != nil {
		return nil, nil, err
	}
	transformer := config.Transformer
	if transformer == nil {
		transformer = identity.NewEncryptCheckTransformer()
	}
	versioner := storage.APIObjectVersioner{}
	decoder := etcd3.NewDefaultDecoder(config.Codec, versioner)
	repairable := utilfeature.DefaultFeatureGate.Enabled(features.AllowUnsafeMalformedObjectDeletion)
	if repairable {
		transformer = etcd3.WithCorruptObjErrorHandlingTransformer(transformer)
		decoder = etcd3.WithCorruptObjErrorHandlingDecoder(decoder)
	}
	store, err := etcd3.New(shared.client, c.compactor(shared, config.CompactionInterval), config.Codec, newObject, newList,
		config.Prefix, prefix, config.GroupResource, transformer, config.LeaseManagerConfig, decoder, versioner)
	if err != nil {
		return nil, nil, err
	}
	if repairable {
		return etcd3.NewStoreWithUnsafeCorruptObjectDeletion(store, config.GroupResource), store.Close, nil
	}
	return store, store.Close, nil
}

// streamKey names the stream of a store in the metadata by which etcd's client puts
// watches together.
const streamKey = "stoa-store"

// ownStream has the watches of one store share no stream with those of others,
// although all share a client. A cache that does not know whether it is up to date
// asks etcd for the progress of its stream, and etcd only answers if every watch of
// the stream has come past its first revision: one that began after the last write
// has not. Reads of all resources would then wait for the next write.
type ownStream struct {
	storage.Interface

	id string
}

// Watch implements storage.Interface.
func (s ownStream) Watch(ctx context.Context, key string, options storage.ListOptions) (watch.Interface, error) {
	return s.Interface.Watch(metadata.AppendToOutgoingContext(ctx, streamKey, s.id), key, options)
}

// RequestWatchProgress implements storage.Interface.
func (s ownStream) RequestWatchProgress(ctx context.Context) error {
	return s.Interface.RequestWatchProgress(metadata.AppendToOutgoingContext(ctx, streamKey, s.id))
}
