// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package resourcequota is the controller that counts what is there, for each resource
// quota: when its limits change, when something that it limits goes, and now and then,
// which mends what a crash left. What comes is charged by the admission plugin.
//
// It counts at the API, in one namespace, and watches names alone: of the kinds that
// some quota limits, and of none if there is no quota.
package resourcequota

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	apiquota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/controllers/work"
)

// Name is that of the controller.
const Name = "resourcequota-controller"

const (
	// resync is how often a quota is counted again, as in Kubernetes.
	resync = 5 * time.Minute
	// rediscovery is how often a resource is looked for that a quota names and that is not
	// served yet.
	rediscovery = 5 * time.Second
	// patience is how long a resource is waited for that does not answer.
	patience = 5 * time.Second
	// collision is how soon a quota is counted again that has been charged meanwhile.
	collision = 100 * time.Millisecond
)

type controller struct {
	server  work.Server
	quotas  corelisters.ResourceQuotaLister
	queue   *work.Queue // of the keys of quotas
	running sync.WaitGroup

	lock     sync.Mutex
	monitors map[schema.GroupResource]*monitor
}

// New returns the controller: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	informer := server.Informers.Core().V1().ResourceQuotas()
	shared := informer.Informer()
	return func(ctx context.Context) {
		c := &controller{server: server, quotas: informer.Lister(), monitors: map[schema.GroupResource]*monitor{}}
		c.queue = work.NewQueue(Name, c.sync)
		c.queue.Listen(shared, cache.ResourceEventHandlerFuncs{
			AddFunc: c.enqueue,
			UpdateFunc: func(old, obj any) {
				if changed(old, obj) {
					c.enqueue(obj)
				}
			},
			DeleteFunc: c.enqueue,
		})
		c.queue.Run(ctx)
		c.running.Wait()
	}
}

func (c *controller) enqueue(obj any) {
	if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj); err == nil {
		c.queue.Add(key)
	}
}

// changed says whether a quota limits something else. A change of its status comes from
// those who count and charge.
func changed(old, obj any) bool {
	before, ok := old.(*corev1.ResourceQuota)
	now, okNow := obj.(*corev1.ResourceQuota)
	return ok && okNow && !apiequality.Semantic.DeepEqual(before.Spec, now.Spec)
}

// sync counts what a quota limits.
func (c *controller) sync(ctx context.Context, key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return err
	}
	// What is charged from now on is another version of the quota, and what has been
	// charged is there once its requests are over: so nothing is missed.
	q, err := c.server.Client.CoreV1().ResourceQuotas(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		c.trim()
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.server.Charges.Wait(ctx, namespace); err != nil {
		return err
	}
	again, err := c.count(ctx, q)
	if apierrors.IsConflict(err) {
		again, err = collision, nil
	}
	if err == nil {
		c.queue.AddAfter(key, again)
	}
	return err
}

// count brings the status of a quota up to date, and returns when to do it again.
func (c *controller) count(ctx context.Context, q *corev1.ResourceQuota) (time.Duration, error) {
	evaluators, all, err := c.watch(ctx, q)
	if err != nil {
		return 0, err
	}
	again := resync
	if !all {
		again = rediscovery
	}
	var errs []error
	usage, err := apiquota.CalculateUsage(q.Namespace, q.Spec.Scopes, q.Spec.Hard, generic.NewRegistry(evaluators), q.Spec.ScopeSelector)
	if err != nil { // what could be counted is written nevertheless
		errs = append(errs, err)
	}
	used := apiquota.Add(corev1.ResourceList{}, q.Status.Used)
	maps.Copy(used, usage)
	used = apiquota.Mask(used, apiquota.ResourceNames(q.Spec.Hard))
	if q.Status.Hard != nil && q.Status.Used != nil && apiquota.Equals(q.Status.Used, used) && apiequality.Semantic.DeepEqual(q.Spec.Hard, q.Status.Hard) {
		return again, utilerrors.NewAggregate(errs)
	}
	q.Status = corev1.ResourceQuotaStatus{Hard: apiquota.Add(corev1.ResourceList{}, q.Spec.Hard), Used: used}
	_, err = c.server.Client.CoreV1().ResourceQuotas(q.Namespace).UpdateStatus(ctx, q, metav1.UpdateOptions{})
	switch {
	case apierrors.IsNotFound(err):
	case apierrors.IsConflict(err) && len(errs) == 0:
		return 0, err
	case err != nil:
		errs = append(errs, err)
	}
	return again, utilerrors.NewAggregate(errs)
}

// gone has the quotas of a namespace counted again that limit what is no more, or is
// not what it was.
func (c *controller) gone(evaluator apiquota.Evaluator, namespace string) {
	quotas, err := c.quotas.ResourceQuotas(namespace).List(labels.Everything())
	if err != nil {
		return // a lister of what is in memory has no errors
	}
	for _, q := range quotas {
		if len(evaluator.MatchingResources(apiquota.ResourceNames(q.Spec.Hard))) > 0 {
			c.enqueue(q)
		}
	}
}
