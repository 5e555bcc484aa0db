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
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	apiquota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/controllers/catalog"
	"github.com/stoa-project/stoa/controllers/work"
)

// Name is that of the controller.
const Name = "resourcequota-controller"

const (
	// workers is how many quotas are counted at once.
	workers = 5
	// resync is how often a quota is counted again, as in Kubernetes.
	resync = 5 * time.Minute
	// rediscovery is how often the server is asked whether it serves something else, while
	// a quota names what is not served.
	rediscovery = 5 * time.Second
	// patience is how long a resource is waited for that does not answer.
	patience = 5 * time.Second
	// collision is how soon a quota is counted again that has been charged meanwhile.
	collision = 100 * time.Millisecond
	// collisions is how often that may happen until what is charged meanwhile is added to
	// what was counted, and attempts how often that is tried.
	collisions, attempts = 3, 10
	// inexact is how soon it is counted again after that.
	inexact = time.Second
	// unserved is the key of the question whether the server serves something else.
	unserved = ""
)

type controller struct {
	server  work.Server
	queue   *work.Queue // of the keys of quotas
	running sync.WaitGroup

	lock     sync.Mutex // guards what follows
	monitors map[schema.GroupResource]*monitor
	// waiting are quotas that name what was not served, and what was.
	waiting map[string]*catalog.List
	// charged are quotas that are counted when what has been charged is stored.
	charged map[string]*snapshot
}

// snapshot is a quota as it was read.
type snapshot struct {
	quota *corev1.ResourceQuota
	over  bool // what has been charged to it is stored, or never will be
	again bool // it must be looked at once more
}

// New returns the controller: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	shared := server.Informers.Core().V1().ResourceQuotas().Informer()
	return func(ctx context.Context) {
		c := &controller{
			server: server, monitors: map[schema.GroupResource]*monitor{}, waiting: map[string]*catalog.List{}, charged: map[string]*snapshot{},
		}
		c.queue = work.NewQueue(Name, c.sync)
		c.queue.Workers = workers
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
	if key == unserved {
		return c.rediscover(ctx)
	}
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return err
	}
	// What is charged from now on is another version of the quota, and what has been
	// charged is there once its requests are over: so nothing is missed.
	q, waits := c.settled(key)
	if waits {
		return nil
	}
	if q == nil {
		q, err = c.server.Client.CoreV1().ResourceQuotas(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			c.forget(key)
			return nil
		}
		if err != nil || c.settles(key, q) {
			return err
		}
	}
	again, err := c.count(ctx, key, q)
	if err == nil {
		c.queue.AddAfter(key, again)
	}
	return err
}

// settled returns a quota whose charges are stored, if that has been waited for.
func (c *controller) settled(key string) (q *corev1.ResourceQuota, waits bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	s := c.charged[key]
	switch {
	case s == nil:
		return nil, false
	case !s.over:
		s.again = true
		return nil, true
	case s.again:
		c.queue.Add(key)
	}
	delete(c.charged, key)
	return s.quota, false
}

// settles says whether a quota has charges that are not stored. It comes again when they
// are.
func (c *controller) settles(key string, q *corev1.ResourceQuota) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	s := &snapshot{quota: q}
	waits := c.server.Charges.After(q.Namespace, func() {
		c.lock.Lock()
		s.over = true
		c.lock.Unlock()
		c.queue.Add(key)
	})
	if waits {
		c.charged[key] = s
	}
	return waits
}

// count brings the status of a quota up to date, and returns when to do it again.
func (c *controller) count(ctx context.Context, key string, q *corev1.ResourceQuota) (time.Duration, error) {
	seen, err := c.watch(ctx, key, q)
	if err != nil {
		return 0, err
	}
	if seen.wait > 0 {
		return seen.wait, nil // it comes when they are there
	}
	again := resync
	if len(seen.missing) > 0 {
		again = patience
	}
	var errs []error
	// What is counted in two places is not counted in one alone.
	hard := maps.Clone(q.Spec.Hard)
	for _, e := range seen.missing {
		for _, name := range e.MatchingResources(apiquota.ResourceNames(q.Spec.Hard)) {
			delete(hard, name)
		}
	}
	usage, err := apiquota.CalculateUsage(q.Namespace, q.Spec.Scopes, hard, generic.NewRegistry(seen.evaluators), q.Spec.ScopeSelector)
	if err != nil { // what could be counted is written nevertheless
		errs = append(errs, err)
	}
	exact, err := c.write(ctx, key, q, usage)
	switch {
	case err != nil && len(errs) == 0:
		return 0, err
	case err != nil:
		errs = append(errs, err)
	case !exact:
		again = inexact
	}
	return again, utilerrors.NewAggregate(errs)
}

// write writes what was counted. What was charged since the quota was read may or may
// not have been among it. So it is counted again; but if there is no end to that, it is
// added, which may be too much but never too little.
func (c *controller) write(ctx context.Context, key string, q *corev1.ResourceQuota, usage corev1.ResourceList) (exact bool, err error) {
	quotas := c.server.Client.CoreV1().ResourceQuotas(q.Namespace)
	exact = true
	for range attempts {
		used := apiquota.Add(corev1.ResourceList{}, q.Status.Used)
		maps.Copy(used, usage)
		used = apiquota.Mask(used, apiquota.ResourceNames(q.Spec.Hard))
		if q.Status.Hard != nil && q.Status.Used != nil && apiquota.Equals(q.Status.Used, used) && apiequality.Semantic.DeepEqual(q.Spec.Hard, q.Status.Hard) {
			return exact, nil
		}
		wanted := q.DeepCopy()
		wanted.Status = corev1.ResourceQuotaStatus{Hard: apiquota.Add(corev1.ResourceList{}, q.Spec.Hard), Used: used}
		_, err = quotas.UpdateStatus(ctx, wanted, metav1.UpdateOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return true, nil
		case !apierrors.IsConflict(err):
			return exact, err
		case c.queue.Failures(key) < collisions:
			return exact, work.AgainError{Within: collision, Why: err}
		}
		now, getErr := quotas.Get(ctx, q.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(getErr):
			return true, nil
		case getErr != nil:
			return exact, getErr
		case now.UID != q.UID || !apiequality.Semantic.DeepEqual(now.Spec, q.Spec):
			return exact, work.AgainError{Within: collision, Why: err}
		}
		for name, counted := range usage {
			more := now.Status.Used[name].DeepCopy()
			if more.Sub(q.Status.Used[name]); more.Sign() > 0 {
				counted.Add(more)
				usage[name], exact = counted, false
			}
		}
		q = now
	}
	return exact, work.AgainError{Within: collision, Why: err}
}
