// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package resourcequota has two controllers that count what is there: one for each
// resource quota in its namespace, the other for the quota of each tenant in all of its
// namespaces. They do when its limits change, when something that it limits goes, and now
// and then, which mends what a crash left. What comes is charged by the admission plugin.
//
// They count at the API, in one namespace after the other, and watch names alone: of the
// kinds that some quota limits, and of none if there is no quota.
package resourcequota

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	apiquota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/controllers/catalog"
	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// Name is that of the controller of quotas.
	Name = "resourcequota-controller"
	// TenantName is that of the controller of the quotas of tenants.
	TenantName = "tenant-quota-controller"

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
	store   store
	queue   *work.Queue // of the keys of quotas
	running sync.WaitGroup

	lock     sync.Mutex // guards what follows
	monitors map[schema.GroupResource]*monitor
	// waiting are quotas that name what was not served, and what was.
	waiting map[string]*catalog.List
	// charged are quotas that are counted when what has been charged is stored.
	charged map[string]*snapshot
	// joined are the namespaces in which something is watched for a quota.
	joined map[string]sets.Set[string]
}

// store is where quotas are kept.
type store interface {
	// get returns the quota that has a key; nil if there is none.
	get(ctx context.Context, key string) (*account, error)
	// put writes the status of a quota, unless that has changed since it was read.
	put(ctx context.Context, a *account, status corev1.ResourceQuotaStatus) error
	// guard returns what may be written of what was counted, and when to count again
	// because that is not all; zero: it is.
	guard(key string, a *account, usage corev1.ResourceList) (corev1.ResourceList, time.Duration)
}

// account is a quota as it was read, and where it holds.
type account struct {
	quota      *corev1.ResourceQuota
	namespaces []string
	tenant     *tenancyv1.Tenant // whose quota it is; nil if it is one of a namespace
}

// snapshot is a quota as it was read.
type snapshot struct {
	account *account
	over    bool // what has been charged to it is stored, or never will be
	again   bool // it must be looked at once more
}

// New returns the controller of quotas: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	shared := server.Informers.Core().V1().ResourceQuotas().Informer()
	return func(ctx context.Context) {
		c := newController(server, Name, quotas{server.Client})
		c.queue.Listen(shared, cache.ResourceEventHandlerFuncs{
			AddFunc: c.enqueue,
			UpdateFunc: func(old, obj any) {
				if changed(old, obj) {
					c.enqueue(obj)
				}
			},
			DeleteFunc: c.enqueue,
		})
		c.run(ctx)
	}
}

func newController(server work.Server, name string, from store) *controller {
	c := &controller{
		server: server, store: from, monitors: map[schema.GroupResource]*monitor{}, waiting: map[string]*catalog.List{},
		charged: map[string]*snapshot{}, joined: map[string]sets.Set[string]{},
	}
	c.queue = work.NewQueue(name, c.sync)
	c.queue.Workers = workers
	return c
}

func (c *controller) run(ctx context.Context) {
	c.queue.Run(ctx)
	c.running.Wait()
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
	// What is charged from now on is another version of the quota, and what has been
	// charged is there once its requests are over: so nothing is missed.
	a, waits := c.settled(key)
	if waits {
		return nil
	}
	if a == nil {
		var err error
		if a, err = c.store.get(ctx, key); err != nil {
			return err
		}
		if a == nil {
			c.forget(key)
			return nil
		}
		if c.settles(key, a) {
			return nil
		}
	}
	again, err := c.count(ctx, key, a)
	if err == nil {
		c.queue.AddAfter(key, again)
	}
	return err
}

// settled returns a quota whose charges are stored, if that has been waited for.
func (c *controller) settled(key string) (a *account, waits bool) {
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
	return s.account, false
}

// recount has a quota counted from what it is now, also if it waits with what it was.
func (c *controller) recount(key string) {
	c.lock.Lock()
	if s := c.charged[key]; s != nil {
		s.again = true
	}
	c.lock.Unlock()
	c.queue.Add(key)
}

// settles says whether a quota has charges that are not stored. It comes again when they
// are.
func (c *controller) settles(key string, a *account) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	s := &snapshot{account: a}
	waits := c.server.Charges.After(func() {
		c.lock.Lock()
		s.over = true
		c.lock.Unlock()
		c.queue.Add(key)
	}, a.namespaces...)
	if waits {
		c.charged[key] = s
	}
	return waits
}

// count brings the status of a quota up to date, and returns when to do it again.
func (c *controller) count(ctx context.Context, key string, a *account) (time.Duration, error) {
	seen, err := c.watch(ctx, key, a)
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
	usage, err := usageOf(a, seen)
	if err != nil { // what could be counted is written nevertheless
		errs = append(errs, err)
	}
	usage, rest := c.store.guard(key, a, usage)
	if rest > 0 {
		again = min(again, rest)
	}
	exact, err := c.write(ctx, key, a, usage)
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

// usageOf counts what is used in the namespaces of a quota. What is counted in two places
// is not counted in one alone.
func usageOf(a *account, seen seen) (corev1.ResourceList, error) {
	q := a.quota
	hard := maps.Clone(q.Spec.Hard)
	for _, e := range seen.missing {
		for _, name := range e.MatchingResources(apiquota.ResourceNames(q.Spec.Hard)) {
			delete(hard, name)
		}
	}
	usage := corev1.ResourceList{}
	for _, e := range seen.evaluators {
		for _, name := range e.MatchingResources(apiquota.ResourceNames(hard)) {
			usage[name] = resource.Quantity{Format: resource.DecimalSI}
		}
	}
	var errs []error
	for _, namespace := range a.namespaces {
		part, err := apiquota.CalculateUsage(namespace, q.Spec.Scopes, hard, generic.NewRegistry(seen.evaluators), q.Spec.ScopeSelector)
		if err != nil {
			errs = append(errs, err)
		}
		for name, sum := range usage {
			if more, ok := part[name]; ok {
				sum.Add(more)
				usage[name] = sum
			} else {
				delete(usage, name)
			}
		}
	}
	return usage, utilerrors.NewAggregate(errs)
}

// write writes what was counted. What was charged since the quota was read may or may
// not have been among it. So it is counted again; but if there is no end to that, it is
// added, which may be too much but never too little.
func (c *controller) write(ctx context.Context, key string, a *account, usage corev1.ResourceList) (exact bool, err error) {
	exact = true
	for range attempts {
		q := a.quota
		used := apiquota.Add(corev1.ResourceList{}, q.Status.Used)
		maps.Copy(used, usage)
		used = apiquota.Mask(used, apiquota.ResourceNames(q.Spec.Hard))
		if q.Status.Hard != nil && q.Status.Used != nil && apiquota.Equals(q.Status.Used, used) && apiequality.Semantic.DeepEqual(q.Spec.Hard, q.Status.Hard) {
			return exact, nil
		}
		err = c.store.put(ctx, a, corev1.ResourceQuotaStatus{Hard: apiquota.Add(corev1.ResourceList{}, q.Spec.Hard), Used: used})
		switch {
		case apierrors.IsNotFound(err):
			return true, nil
		case !apierrors.IsConflict(err):
			return exact, err
		case c.queue.Failures(key) < collisions:
			return exact, work.AgainError{Within: collision, Why: err}
		}
		now, getErr := c.store.get(ctx, key)
		switch {
		case getErr != nil:
			return exact, getErr
		case now == nil:
			return true, nil
		case now.quota.UID != q.UID || !apiequality.Semantic.DeepEqual(now.quota.Spec, q.Spec):
			return exact, work.AgainError{Within: collision, Why: err}
		}
		for name, counted := range usage {
			more := now.quota.Status.Used[name].DeepCopy()
			if more.Sub(q.Status.Used[name]); more.Sign() > 0 {
				counted.Add(more)
				usage[name], exact = counted, false
			}
		}
		a = now
	}
	return exact, work.AgainError{Within: collision, Why: err}
}

// quotas are the objects of that kind.
type quotas struct{ client kubernetes.Interface }

var _ store = quotas{}

func (s quotas) get(ctx context.Context, key string) (*account, error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return nil, err
	}
	q, err := s.client.CoreV1().ResourceQuotas(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // it is gone
	}
	return &account{quota: q, namespaces: []string{namespace}}, err
}

func (s quotas) put(ctx context.Context, a *account, status corev1.ResourceQuotaStatus) error {
	wanted := a.quota.DeepCopy()
	wanted.Status = status
	_, err := s.client.CoreV1().ResourceQuotas(wanted.Namespace).UpdateStatus(ctx, wanted, metav1.UpdateOptions{})
	return err
}

func (s quotas) guard(_ string, _ *account, usage corev1.ResourceList) (corev1.ResourceList, time.Duration) {
	return usage, 0
}
