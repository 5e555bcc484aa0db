// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package garbagecollector

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/controllers/catalog"
	"github.com/stoa-project/stoa/controllers/catalog/catalogtest"
	"github.com/stoa-project/stoa/controllers/work"
)

// collector is a controller whose queues do not run.
type collector struct {
	*controller
	client *metadatafake.FakeMetadataClient
	server *catalogtest.Server
	maps   catalog.Resource
}

// newCollector returns one that knows config maps. It must be closed.
func newCollector(ctx context.Context, t *testing.T, objects ...*metav1.ObjectMeta) *collector {
	t.Helper()
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	var stored []runtime.Object
	for _, o := range objects {
		stored = append(stored, &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: *o})
	}
	maps := catalogtest.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "ConfigMap", apidiscoveryv2.ScopeNamespace)
	served, server := catalogtest.New(t, maps)
	c := &collector{client: metadatafake.NewSimpleMetadataClient(scheme, stored...), server: server, maps: maps}
	nobody := func(types.UID) {}
	c.controller = &controller{
		metadata: c.client, catalog: served, local: func(schema.GroupVersionResource) cache.ListerWatcher { return nil },
		graph: newGraph(nobody, nobody, nobody), changed: make(chan struct{}, 1), sources: map[schema.GroupResource]*source{},
	}
	if err := c.discover(ctx); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	c.graph.begin()
	return c
}

// writes are what the collector asked to be changed.
func (c *collector) writes() []string {
	var out []string
	for _, action := range c.client.Actions() {
		switch a := action.(type) {
		case clienttesting.DeleteActionImpl:
			out = append(out, "delete "+a.Name)
		case clienttesting.PatchActionImpl:
			out = append(out, "patch "+a.Name)
		}
	}
	return out
}

func wantWhy(t *testing.T, err error, want string) {
	t.Helper()
	var again work.AgainError
	if !errors.As(err, &again) || again.Why == nil || again.Why.Error() != want {
		t.Errorf("got %v, want to wait because: %s", err, want)
	}
}

// An owner waits for its dependents to be freed as long as some may not be known: they
// would be deleted when they are.
func TestOrphanWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newCollector(ctx, t, deleted(object("owner", "2"), metav1.FinalizerOrphanDependents), object("owned", "1", "owner"))
		down := schema.GroupVersion{Group: "down.example.com", Version: "v1"}
		c.server.Set([]catalog.Resource{c.maps}, down)
		wantWhy(t, c.orphan(ctx, "owner"),
			"orphan what configmaps n/owner owns: unable to retrieve the complete list of server APIs: down.example.com/v1: stale GroupVersion discovery: down.example.com/v1")
		broken := catalogtest.Resource(down.WithResource("gears"), "Gear", apidiscoveryv2.ScopeNamespace)
		c.client.PrependReactor("list", "gears", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("conversion webhook is down")
		})
		c.server.Set([]catalog.Resource{c.maps, broken})
		if err := c.discover(ctx); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		c.sources[broken.GroupResource()].began = c.sources[broken.GroupResource()].began.Add(-2 * patience)
		c.mu.Unlock()
		wantWhy(t, c.orphan(ctx, "owner"), "orphan what configmaps n/owner owns: cannot list gears.down.example.com")
		if got := c.writes(); len(got) > 0 {
			t.Errorf("wrote %q", got)
		}

		// A server that goes down when what it has is known is no reason to wait.
		c.server.Set(nil, c.maps.GroupVersion(), down)
		c.mu.Lock()
		c.sources[broken.GroupResource()].synced.Store(true)
		c.mu.Unlock()
		_ = c.orphan(ctx, "owner")
		if got := c.writes(); len(got) != 1 || got[0] != "patch owned" {
			t.Errorf("wrote %q, want the owners of what is owned", got)
		}
		cancel()
		c.running.Wait()
	})
}

// A write that is refused because of a conflict is tried again, and says why.
func TestConflict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newCollector(ctx, t, object("owned", "1", "never"))
		c.client.PrependReactor("delete", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, "owned", errors.New("somebody was faster"))
		})
		wantWhy(t, c.check(ctx, "owned"),
			`delete configmaps n/owned: Operation cannot be fulfilled on configmaps "owned": somebody was faster`)
		cancel()
		c.running.Wait()
	})
}
