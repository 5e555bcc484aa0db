// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// podInterval is how often requests of pods are looked at.
	podInterval = 5 * time.Minute
	// podStays is how long one stays. By then its pod has the certificate, or asks anew.
	podStays = 15 * time.Minute
)

// NewPodCleaner returns the controller that deletes requests for certificates of pods a
// quarter of an hour after they came.
func NewPodCleaner(server work.Server) func(context.Context) {
	return func(ctx context.Context) {
		wait.UntilWithContext(ctx, func(ctx context.Context) {
			if err := cleanPods(ctx, server); err != nil && ctx.Err() == nil {
				klog.FromContext(ctx).Error(err, "Could not delete all requests for certificates of pods that are over, trying again later")
			}
		}, podInterval)
	}
}

func cleanPods(ctx context.Context, server work.Server) error {
	requests := server.Metadata.Resource(certificatesv1.SchemeGroupVersion.WithResource("podcertificaterequests"))
	options := metav1.ListOptions{Limit: page}
	var errs []error
	for {
		list, err := requests.List(ctx, options)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for i := range list.Items {
			request := &list.Items[i]
			if time.Since(request.CreationTimestamp.Time) < podStays {
				continue
			}
			err := requests.Namespace(request.Namespace).Delete(ctx, request.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(request.UID))})
			switch {
			case err == nil:
				klog.FromContext(ctx).V(2).Info("Deleted a request for a certificate of a pod", "request", klog.KObj(request))
			case !apierrors.IsNotFound(err) && !apierrors.IsConflict(err):
				errs = append(errs, fmt.Errorf("request for a certificate of a pod %s: %w", klog.KObj(request), err))
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return errors.Join(errs...)
		}
	}
}
