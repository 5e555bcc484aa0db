// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package work

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/pager"
	"k8s.io/klog/v2"
)

// Again does something now and each interval until ctx ends, and logs its error.
func Again(ctx context.Context, interval time.Duration, complaint string, do func(context.Context) error) {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, complaint, "again", interval)
		}
	}, interval)
}

// EachListed calls look for each object of a list, which comes in pages, and returns the errors
// of all. It ends early only when there is no list.
func EachListed[T any, L runtime.Object](ctx context.Context, list func(context.Context, metav1.ListOptions) (L, error), options metav1.ListOptions, look func(*T) error) error {
	var errs []error
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return list(ctx, options)
	})
	err := pages.EachListItem(ctx, options, func(obj runtime.Object) error {
		item, ok := any(obj).(*T)
		if !ok {
			return fmt.Errorf("unexpected object of type %T in a list", obj)
		}
		errs = append(errs, look(item))
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// Settled leaves out errors of a write that mean that the object has changed, or is gone.
func Settled(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
