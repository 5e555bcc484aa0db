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
func newDeleteStrategy(s mainStrategy) rest.RESTDeleteStrategy {
	if s.kind.Strategy.CheckGracefulDelete == nil {
		return deleteStrategy{s}
	}
	return gracefulStrategy{deleteStrategy{s}}
}

type deleteStrategy struct{ mainStrategy }

type gracefulStrategy struct{ deleteStrategy }

var (
	_ rest.GarbageCollectionDeleteStrategy = deleteStrategy{}
	_ rest.RESTGracefulDeleteStrategy      = gracefulStrategy{}
)

// DefaultGarbageCollectionPolicy implements rest.GarbageCollectionDeleteStrategy.
func (s deleteStrategy) DefaultGarbageCollectionPolicy(ctx context.Context) rest.GarbageCollectionPolicy {
	if s.kind.GarbageCollection == nil {
		return rest.DeleteDependents
	}
	return s.kind.GarbageCollection(ctx)
}

// CheckGracefulDelete implements rest.RESTGracefulDeleteStrategy.
func (s gracefulStrategy) CheckGracefulDelete(ctx context.Context, obj runtime.Object, options *metav1.DeleteOptions) bool {
	return s.kind.Strategy.CheckGracefulDelete(ctx, obj, options)
}
