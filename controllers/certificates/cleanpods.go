// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
		work.Again(ctx, podInterval, "Could not delete all requests for certificates of pods that are over", func(ctx context.Context) error {
			return cleanPods(ctx, server)
		})
	}
}

func cleanPods(ctx context.Context, server work.Server) error {
	requests := server.Metadata.Resource(certificatesv1.SchemeGroupVersion.WithResource("podcertificaterequests"))
	return work.EachListed(ctx, requests.List, metav1.ListOptions{}, func(request *metav1.PartialObjectMetadata) error {
		if time.Since(request.CreationTimestamp.Time) < podStays {
			return nil
		}
		err := requests.Namespace(request.Namespace).Delete(ctx, request.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(request.UID))})
		if err == nil {
			klog.FromContext(ctx).V(2).Info("Deleted a request for a certificate of a pod", "request", klog.KObj(request))
		}
		return work.Settled(err)
	})
}
