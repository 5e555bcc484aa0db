// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
)

// newDeleteStrategy returns what deletes objects of a kind. The store looks at the
// type of it to see whether deletes are graceful.
func newDeleteStrategy[T any, PT Object[T]](s mainStrategy[T, PT]) rest.RESTDeleteStrategy {
	if s.kind.Strategy.CheckGracefulDelete == nil {
		return deleteStrategy[T, PT]{s}
	}
	return gracefulStrategy[T, PT]{deleteStrategy[T, PT]{s}}
}

type deleteStrategy[T any, PT Object[T]] struct{ mainStrategy[T, PT] }

type gracefulStrategy[T any, PT Object[T]] struct{ deleteStrategy[T, PT] }

var (
	_ rest.GarbageCollectionDeleteStrategy = deleteStrategy[configMap, *configMap]{}
	_ rest.RESTGracefulDeleteStrategy      = gracefulStrategy[configMap, *configMap]{}
)

// DefaultGarbageCollectionPolicy implements rest.GarbageCollectionDeleteStrategy.
func (s deleteStrategy[T, PT]) DefaultGarbageCollectionPolicy(ctx context.Context) rest.GarbageCollectionPolicy {
	if s.kind.GarbageCollection == nil {
		return rest.DeleteDependents
	}
	return s.kind.GarbageCollection(ctx)
}

// CheckGracefulDelete implements rest.RESTGracefulDeleteStrategy.
func (s gracefulStrategy[T, PT]) CheckGracefulDelete(ctx context.Context, obj runtime.Object, options *metav1.DeleteOptions) bool {
	return s.kind.Strategy.CheckGracefulDelete(ctx, (*T)(obj.(PT)), options)
}
