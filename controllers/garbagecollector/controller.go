// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package garbagecollector is the controller that deletes objects whose owners are
// gone, and deletes or frees what an object owns before the object goes, if that was
// asked for.
//
//	stores, watches ──► source ──► graph ──► queues ──► requests
//
// A source for each resource tells the graph what is there; the graph keeps only what
// has owners or waits, and says what has to be looked at. What is deleted is deleted
// in the version that the graph knows, so that a graph that lags behind deletes
// nothing: not even if the collectors of several servers work at once. That an owner
// is gone is told by the end of it, or by a request that does not find it.
package garbagecollector

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/kube-aggregator/pkg/apis/apiregistration"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/controllers/catalog"
	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// Name is that of the controller.
	Name = "garbage-collector-controller"
	// deleteQueue and orphanQueue are names of the queues in metrics, which are upstream's.
	deleteQueue = "garbage_collector_attempt_to_delete"
	orphanQueue = "garbage_collector_attempt_to_orphan"
	// workers look at objects, for each queue.
	workers = 20

	// lag is how long a source may be behind another one: see graph.
	lag = 100 * time.Millisecond
	// readyInterval is how often a server that starts is asked whether it is ready.
	readyInterval = 100 * time.Millisecond
	// rediscover is how often the server is asked what it serves, if nothing says that
	// it has changed: an aggregated server may, and nobody tells.
	rediscover = 30 * time.Second
	// settling is how long discovery may lag behind a definition that has changed, and
	// how often it is asked until then.
	settling, settlings = 250 * time.Millisecond, 5
	// vanished is how long a resource must be missing before its objects are forgotten.
	// What the last of them left behind is still told about until then.
	vanished = time.Second
	// patience is how long the start, and owners that wait for their dependents, wait for
	// a resource that cannot be listed.
	patience = 30 * time.Second
)

type controller struct {
	client   kubernetes.Interface
	metadata metadata.Interface
	catalog  *catalog.Catalog
	local    func(schema.GroupVersionResource) cache.ListerWatcher
	graph    *graph
	deletes  *work.Queue // of UIDs of objects that may have to be deleted
	orphans  *work.Queue // of UIDs of owners that wait until their dependents are free
	changed  chan struct{}
	running  sync.WaitGroup // of sources

	mu      sync.Mutex // guards the rest
	served  *catalog.List
	sources map[schema.GroupResource]*source
}

// New returns the controller: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	return func(ctx context.Context) {
		c := &controller{
			client: server.Client, metadata: server.Metadata, catalog: server.Catalog, local: server.Local,
			changed: make(chan struct{}, 1), sources: map[schema.GroupResource]*source{},
		}
		c.deletes, c.orphans = work.NewQueue(deleteQueue, c.check), work.NewQueue(orphanQueue, c.orphan)
		c.deletes.Workers, c.orphans.Workers = workers, workers
		c.graph = newGraph(
			func(uid types.UID) { c.deletes.Add(string(uid)) },
			func(uid types.UID) { c.deletes.AddAfter(string(uid), lag) },
			func(uid types.UID) { c.orphans.AddAfter(string(uid), lag) })
		c.run(ctx)
	}
}

func (c *controller) run(ctx context.Context) {
	_ = syncErrors() // so that the metric is there
	// A server that is not ready does not know all definitions of resources. Queues end
	// when they run, so they do even if the server ends before.
	if c.start(ctx) {
		c.graph.begin()
	}
	var all sync.WaitGroup
	all.Go(func() { c.deletes.Run(ctx) })
	all.Go(func() { c.orphans.Run(ctx) })
	all.Go(func() { c.follow(ctx) })
	all.Wait()
	c.running.Wait()
}

// start returns true when all is known that can be, and false if ctx ended before.
func (c *controller) start(ctx context.Context) bool {
	ready := func(ctx context.Context) (bool, error) {
		return c.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil, nil
	}
	known := func(ctx context.Context) (bool, error) {
		if err := c.discover(ctx); err != nil {
			klog.FromContext(ctx).Error(err, "Could not discover what may be garbage, trying again")
			return false, nil
		}
		return c.complete(), nil
	}
	return wait.PollUntilContextCancel(ctx, readyInterval, true, ready) == nil &&
		wait.PollUntilContextCancel(ctx, readyInterval, true, known) == nil
}

// follow learns what the server serves as that changes.
func (c *controller) follow(ctx context.Context) {
	again := 0
	timer := time.NewTimer(rediscover)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
			if again == 0 {
				timer.Reset(settling)
			}
			again = settlings
		case <-timer.C:
			if err := c.discover(ctx); err != nil && ctx.Err() == nil {
				klog.FromContext(ctx).Error(err, "Could not discover what may be garbage, trying again")
			}
			next := rediscover
			if again > 0 {
				again--
				next = settling
			}
			timer.Reset(next)
		}
	}
}

// stale has the server asked soon what it serves.
func (c *controller) stale() {
	select {
	case c.changed <- struct{}{}:
	default: // somebody has said so
	}
}

// discover begins to look at resources that are new, and ends with those that are no
// more.
func (c *controller) discover(ctx context.Context) error {
	served, err := c.catalog.Get(ctx)
	if err != nil {
		syncErrors().Inc()
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := served != c.served
	c.served = served
	now := map[schema.GroupResource]catalog.Resource{}
	for _, r := range served.Resources {
		if r.Can("delete", "list", "watch") && !ignored(r.GroupResource()) {
			now[r.GroupResource()] = r
		}
	}
	for name, s := range c.sources {
		r, ok := now[name]
		switch {
		case ok && r.GroupVersionResource == s.resource.GroupVersionResource && r.Kind == s.resource.Kind && r.Namespaced == s.resource.Namespaced:
			s.missing = time.Time{}
			delete(now, name)
		case !ok && served.Failed(name.Group): // its server is down
		case !ok && s.missing.IsZero():
			s.missing = time.Now()
			c.stale()
		case !ok && time.Since(s.missing) < vanished:
			c.stale()
		default:
			s.stop()
			delete(c.sources, name)
			c.graph.drop(s)
		}
	}
	for name, r := range now {
		c.sources[name] = c.source(ctx, r)
	}
	if fresh {
		c.graph.resolve()
	}
	return nil
}

// ignored says of which objects nobody looks after owners: there are many events, and
// they end by themselves, and projects are namespaces.
func ignored(r schema.GroupResource) bool {
	return r.Resource == "events" && (r.Group == "" || r.Group == eventsv1.GroupName) || r == tenancy.Resource("projects")
}

// source begins to look at a resource.
func (c *controller) source(ctx context.Context, r catalog.Resource) *source {
	s := &source{resource: r, graph: c.graph, began: time.Now()}
	switch r.GroupResource() {
	case apiextensions.Resource("customresourcedefinitions"), apiregistration.Resource("apiservices"):
		s.changed = c.stale // they say what the server serves
	}
	from := c.local(r.GroupVersionResource)
	if from == nil {
		from = overHTTP(c.metadata, r)
	}
	ctx, s.stop = context.WithCancel(ctx)
	c.running.Go(func() { s.run(ctx, from) })
	return s
}

// complete says whether the graph has all resources, but for those that cannot be
// listed.
func (c *controller) complete() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sources {
		if !s.synced.Load() && time.Since(s.began) < patience {
			return false
		}
	}
	return true
}

// current returns nil when the graph has all resources that the server serves now. An
// owner must not be told that nothing waits for it before.
func (c *controller) current(ctx context.Context) error {
	if err := c.discover(ctx); err != nil {
		return err
	}
	if !c.complete() {
		return work.AgainError{}
	}
	return nil
}

// missing says of which resources the graph does not know what there is; nil: of none.
// A resource whose server has gone down is known as it was.
func (c *controller) missing() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := map[string]bool{}
	var unlisted []string
	for name, s := range c.sources {
		known[name.Group] = true
		if !s.synced.Load() {
			unlisted = append(unlisted, name.String())
		}
	}
	if len(unlisted) > 0 {
		slices.Sort(unlisted)
		return fmt.Errorf("cannot list %s", strings.Join(unlisted, ", "))
	}
	for _, gv := range c.served.FailedVersions() {
		if !known[gv.Group] {
			return c.served.Err()
		}
	}
	return nil
}

// kind returns the resource of a kind.
func (c *controller) kind(version schema.GroupVersion, kind string) (catalog.Resource, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.served.Kind(version, kind)
}
