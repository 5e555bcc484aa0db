// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/tools/cache"
)

// local lists and watches a resource in its store, without a request; nil if it is not
// one of the own groups. See [work.Server].
func (s stores) local(resource schema.GroupVersionResource) cache.ListerWatcher {
	store, ok := s[resource.Group][resource.Version][resource.Resource].(interface {
		rest.Lister
		rest.Watcher
	})
	if !ok {
		return nil
	}
	return localResource{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			var internal metainternalversion.ListOptions
			if err := metainternalversion.Convert_v1_ListOptions_To_internalversion_ListOptions(&options, &internal, nil); err != nil {
				return nil, err
			}
			return store.List(asServer(ctx), &internal)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			var internal metainternalversion.ListOptions
			if err := metainternalversion.Convert_v1_ListOptions_To_internalversion_ListOptions(&options, &internal, nil); err != nil {
				return nil, err
			}
			return store.Watch(asServer(ctx), &internal)
		},
	}}
}

// asServer is the context of what the server asks of its stores in all namespaces.
func asServer(ctx context.Context) context.Context {
	who := &user.DefaultInfo{Name: user.APIServerUser, Groups: []string{user.SystemPrivilegedGroup}}
	return genericapirequest.WithUser(genericapirequest.WithNamespace(ctx, metav1.NamespaceAll), who)
}

type localResource struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported has reflectors list: the list of what is in memory
// is cheaper than a stream of copies.
func (localResource) IsWatchListSemanticsUnSupported() bool { return true }
