// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"slices"
	"sync"
	"unique"
)

// kind is that of an object in the graph.
type kind byte

const (
	nodes kind = iota
	pods
	secrets
	configMaps
	serviceAccounts
	claims
	volumes
	resourceClaims
	attachments
	slicesOfNodes
	certificateRequests
)

// object names an object.
type object struct {
	kind            kind
	namespace, name string
}

// id stands for an object in eight bytes.
type id = unique.Handle[object]

func idOf(k kind, namespace, name string) id {
	return unique.Make(object{kind: k, namespace: namespace, name: name})
}

// entry is what an object says about who may read what.
type entry struct {
	// object is the one that says so: a pod, a persistent volume, or what else names a
	// node.
	object id
	// holder may read the rest. It is a node, or a claim, which stands for the nodes of the
	// pods that use it. The zero value is nobody.
	holder id
	// grants are what the holder may read, each once.
	grants []id
}

func (e *entry) grant(to id) {
	if !slices.Contains(e.grants, to) {
		e.grants = append(e.grants, to)
	}
}

// use is an object that a node may read.
type use struct{ node, object id }

// claim knows both sides of a persistent volume claim.
type claim struct {
	// nodes run pods that use it.
	nodes []id
	// volumes are bound to it.
	volumes []*entry
}

// graph says which node may read what.
type graph struct {
	lock sync.RWMutex
	// entries are those that uses was made from, by the kind of their object.
	entries map[kind]map[id]*entry
	// uses counts the entries because of which a node may read an object.
	uses   map[use]int32
	claims map[id]*claim
}

func newGraph() *graph {
	return &graph{entries: map[kind]map[id]*entry{}, uses: map[use]int32{}, claims: map[id]*claim{}}
}

// allows says whether a node may read an object.
func (g *graph) allows(node string, o id) bool {
	u := use{idOf(nodes, "", node), o}
	g.lock.RLock()
	defer g.lock.RUnlock()
	return g.uses[u] > 0
}

// put takes in what an object says now.
func (g *graph) put(e *entry) {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.set(e)
}

// remove forgets what an object said.
func (g *graph) remove(o id) {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.unset(o)
}

// replace takes in what all objects of a kind say, and forgets those that are gone.
func (g *graph) replace(k kind, all []*entry) {
	g.lock.Lock()
	defer g.lock.Unlock()
	gone := make(map[id]bool, len(g.entries[k]))
	for o := range g.entries[k] {
		gone[o] = true
	}
	for _, e := range all {
		delete(gone, e.object)
		g.set(e)
	}
	for o := range gone {
		g.unset(o)
	}
}

func (g *graph) set(e *entry) {
	k := e.object.Value().kind
	if old := g.entries[k][e.object]; old != nil && old.holder == e.holder && slices.Equal(old.grants, e.grants) {
		return
	}
	g.unset(e.object)
	if e.holder == (id{}) {
		return
	}
	e.grants = slices.Clip(e.grants)
	if g.entries[k] == nil {
		g.entries[k] = map[id]*entry{}
	}
	g.entries[k][e.object] = e
	g.apply(e, 1)
}

func (g *graph) unset(o id) {
	k := o.Value().kind
	if old := g.entries[k][o]; old != nil {
		delete(g.entries[k], o)
		g.apply(old, -1)
	}
}

// apply counts an entry up or down.
func (g *graph) apply(e *entry, by int32) {
	if e.holder.Value().kind == nodes {
		g.count(e.holder, e.grants, by)
		return
	}
	g.change(e.holder, func(c *claim) {
		c.volumes = toggle(c.volumes, e, by)
		for _, n := range c.nodes {
			g.count(n, e.grants, by)
		}
	})
}

// count counts the uses of objects by a node up or down. What is behind a claim follows
// with its first or its last use.
func (g *graph) count(node id, objects []id, by int32) {
	for _, o := range objects {
		u := use{node, o}
		was := g.uses[u]
		if was+by == 0 {
			delete(g.uses, u)
		} else {
			g.uses[u] = was + by
		}
		if o.Value().kind != claims || was != 0 && was+by != 0 {
			continue
		}
		g.change(o, func(c *claim) {
			c.nodes = toggle(c.nodes, node, by)
			for _, v := range c.volumes {
				g.count(node, v.grants, by) // a volume grants no claims
			}
		})
	}
}

// change changes a claim, which is there as long as it says something.
func (g *graph) change(o id, f func(*claim)) {
	c := g.claims[o]
	if c == nil {
		c = &claim{}
		g.claims[o] = c
	}
	if f(c); len(c.nodes) == 0 && len(c.volumes) == 0 {
		delete(g.claims, o)
	}
}

// toggle puts an element into a list, or takes it out.
func toggle[T comparable](list []T, element T, by int32) []T {
	if by > 0 {
		return append(list, element)
	}
	i := slices.Index(list, element)
	return slices.Delete(list, i, i+1)
}
