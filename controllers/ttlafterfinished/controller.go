// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package ttlafterfinished is the controller that deletes jobs with
// spec.ttlSecondsAfterFinished that long after they finished, and with them their pods.
package ttlafterfinished

import (
	"context"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/batch"
	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// Name is that of the controller.
	Name = "ttl-after-finished-controller"
	// queueName is that of the queue in metrics, which is upstream's.
	queueName = "ttl_jobs_to_delete"
)

type controller struct {
	client kubernetes.Interface
	queue  *work.Queue // of the keys of jobs whose time may be over
}

// New returns the controller: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	return func(ctx context.Context) {
		c := &controller{client: server.Client}
		c.queue = work.NewQueue(queueName, c.sync)
		var following sync.WaitGroup
		following.Go(func() {
			server.Follow(ctx, work.Watch{Resource: batchv1.SchemeGroupVersion.WithResource("jobs"), Seen: c.seen})
		})
		c.queue.Run(ctx)
		following.Wait()
	}
}

// seen queues a job for when its time is over.
func (c *controller) seen(obj metav1.Object) {
	job, ok := work.Object(obj).(*batch.Job)
	if !ok {
		return
	}
	if at, ends := end((*batchv1.Job)(job)); ends {
		c.queue.AddAfter(cache.MetaObjectToName(obj).String(), time.Until(at))
	}
}

// end says when a job is to be deleted, if ever.
func end(job *batchv1.Job) (time.Time, bool) {
	if job.DeletionTimestamp != nil || job.Spec.TTLSecondsAfterFinished == nil {
		return time.Time{}, false
	}
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Add(time.Duration(*job.Spec.TTLSecondsAfterFinished) * time.Second), true
		}
	}
	return time.Time{}, false
}

// sync deletes a job if its time is over now.
func (c *controller) sync(ctx context.Context, key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return err
	}
	jobs := c.client.BatchV1().Jobs(namespace)
	job, err := jobs.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	at, ends := end(job)
	if !ends {
		return nil
	}
	if left := time.Until(at); left > 0 {
		c.queue.AddAfter(key, left)
		return nil
	}
	options := metav1.NewPreconditionDeleteOptions(string(job.UID))
	options.Preconditions.ResourceVersion = &job.ResourceVersion // somebody may give it more time
	options.PropagationPolicy = new(metav1.DeletePropagationForeground)
	switch err = jobs.Delete(ctx, name, *options); {
	case apierrors.IsConflict(err):
		return work.AgainError{}
	case apierrors.IsNotFound(err):
		return nil
	case err == nil:
		klog.FromContext(ctx).V(2).Info("Deleted a job that finished long ago", "job", klog.KObj(job))
	}
	return err
}
