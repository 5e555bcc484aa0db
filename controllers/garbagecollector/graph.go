// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package garbagecollector

import (
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// graph is who is owned by whom. It has only what has to be known: objects with
// owners, and objects that are being deleted and wait for what they own. Of owners it
// has what their dependents say of them. So all other objects, which are most, cost
// nothing.
type graph struct {
	// check has an object looked at. later does when sources that are behind have caught
	// up, and orphan does the same for one that waits until its dependents are free: what
	// was made before an owner was deleted must be known before the owner goes.
	check, later, orphan func(types.UID)

	mu     sync.Mutex
	nodes  map[types.UID]*node
	owners map[types.UID][]*owner
	// seen is where objects are, until the graph begins: so that owners that are there
	// anyway need not be asked for one by one. Nil from then on.
	seen map[types.UID]place
}

// node is an object. Its slices are those of the store it was read from, and must not
// be changed.
type node struct {
	place

	uid        types.UID
	version    string // the resource version
	refs       []metav1.OwnerReference
	finalizers []string
	deleting   bool
	// told says that dependents were looked at since the object waits for them.
	told bool
}

// place is where an object is.
type place struct {
	source          *source
	namespace, name string
}

// waitsFor says whether the object is being deleted and has a finalizer.
func (n *node) waitsFor(finalizer string) bool {
	return n.deleting && slices.Contains(n.finalizers, finalizer)
}

// standing is what is known of an owner.
type standing int

const (
	unknown standing = iota
	exists
	absent
	// unresolved is an owner of a kind that the server does not have now. It counts as
	// existing.
	unresolved
)

// owner is what some dependents, all in one namespace, say who owns them.
type owner struct {
	ref        reference
	standing   standing
	changes    int  // how often what had been found out became doubtful
	asked      bool // whether it was looked for in other namespaces
	dependents map[*node]struct{}
}

// reference is where an owner should be.
type reference struct {
	version         schema.GroupVersion
	kind            string
	namespace, name string
}

func (n *node) reference(ref metav1.OwnerReference) reference {
	version, _ := schema.ParseGroupVersion(ref.APIVersion) // one that is wrong is of no kind
	return reference{version: version, kind: ref.Kind, namespace: n.namespace, name: ref.Name}
}

// in says whether a source has the objects of the owner's kind.
func (r reference) in(s *source) bool {
	return s.resource.Group == r.version.Group && s.resource.Kind == r.kind
}

// at says whether the owner should be at a place.
func (r reference) at(p place) bool {
	return r.in(p.source) && r.name == p.name && (!p.source.resource.Namespaced || r.namespace == p.namespace)
}

func newGraph(check, later, orphan func(types.UID)) *graph {
	return &graph{check: check, later: later, orphan: orphan, nodes: map[types.UID]*node{}, owners: map[types.UID][]*owner{}, seen: map[types.UID]place{}}
}

// begin has the owners known that have been seen.
func (g *graph) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for uid, owners := range g.owners {
		p, ok := g.seen[uid]
		for _, o := range owners {
			if ok && o.ref.at(p) {
				o.standing = exists
			}
		}
	}
	g.seen = nil
}

// observe takes in an object that is new or has changed.
func (g *graph) observe(s *source, obj metav1.Object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.take(s, obj)
}

// refine takes in an object that a request returned, if the graph has it still.
func (g *graph) refine(s *source, obj metav1.Object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.nodes[obj.GetUID()] != nil {
		g.take(s, obj)
	}
}

func (g *graph) take(s *source, obj metav1.Object) {
	now := node{
		place: place{source: s, namespace: obj.GetNamespace(), name: obj.GetName()},
		uid:   obj.GetUID(), version: obj.GetResourceVersion(), refs: obj.GetOwnerReferences(), finalizers: obj.GetFinalizers(),
		deleting: obj.GetDeletionTimestamp() != nil,
	}
	if now.uid == "" || s.dead {
		return
	}
	if g.seen != nil {
		g.seen[now.uid] = now.place
	}
	n := g.nodes[now.uid]
	if n != nil && (n.source != s || newer(n.version, now.version)) {
		return
	}
	if len(now.refs) == 0 && !now.waitsFor(metav1.FinalizerOrphanDependents) && !now.waitsFor(metav1.FinalizerDeleteDependents) {
		if n != nil {
			g.remove(n)
		}
		return
	}
	var before node
	if n == nil {
		n = &node{}
		g.nodes[now.uid] = n
	}
	now.told = n.told
	before, *n = *n, now // dependents of owners are pointers
	if !slices.EqualFunc(before.refs, now.refs, sameReference) {
		g.unlink(n, before.namespace, before.refs)
		g.link(n)
	}
	if n.waitsFor(metav1.FinalizerOrphanDependents) {
		g.orphan(n.uid)
		return
	}
	switch {
	case !n.waitsFor(metav1.FinalizerDeleteDependents):
	case slices.ContainsFunc(n.refs, func(ref metav1.OwnerReference) bool { return g.waits(ref.UID) }):
		g.check(n.uid) // sources have caught up with an owner of it
	default:
		g.later(n.uid)
	}
}

// tell has the dependents of an object looked at, once.
func (g *graph) tell(uid types.UID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.nodes[uid]; n != nil && !n.told {
		n.told = true
		g.checkDependents(uid)
	}
}

// newer says whether a version is known to be newer than another.
func newer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order > 0
}

func sameReference(a, b metav1.OwnerReference) bool {
	return a.UID == b.UID && a.Name == b.Name && a.Kind == b.Kind && a.APIVersion == b.APIVersion && blocks(a) == blocks(b)
}

func blocks(ref metav1.OwnerReference) bool {
	return ref.BlockOwnerDeletion != nil && *ref.BlockOwnerDeletion
}

// link makes an object a dependent of its owners, and has it looked at if one of them
// may be gone or goes.
func (g *graph) link(n *node) {
	doubt, waits := false, false
	for _, ref := range n.refs {
		to := n.reference(ref)
		o := g.owner(ref.UID, to)
		if o == nil {
			o = &owner{ref: to, dependents: map[*node]struct{}{}}
			g.owners[ref.UID] = append(g.owners[ref.UID], o)
		}
		o.dependents[n] = struct{}{}
		doubt = doubt || o.standing == unknown || o.standing == absent
		waits = waits || g.waits(ref.UID)
	}
	switch {
	case waits:
		g.later(n.uid)
	case doubt:
		g.check(n.uid)
	}
}

// unlink is the contrary of link. Owners that wait for their dependents are looked at.
func (g *graph) unlink(n *node, namespace string, refs []metav1.OwnerReference) {
	from := node{place: place{namespace: namespace}}
	for _, ref := range refs {
		o := g.owner(ref.UID, from.reference(ref))
		if o == nil {
			continue // the same twice in one object
		}
		delete(o.dependents, n)
		if len(o.dependents) == 0 {
			left := slices.DeleteFunc(g.owners[ref.UID], func(other *owner) bool { return other == o })
			g.owners[ref.UID] = left
			if len(left) == 0 {
				delete(g.owners, ref.UID)
			}
		}
		if g.waits(ref.UID) {
			g.check(ref.UID)
		}
	}
}

func (g *graph) owner(uid types.UID, at reference) *owner {
	for _, o := range g.owners[uid] {
		if o.ref == at {
			return o
		}
	}
	return nil
}

// waits says whether an object waits until its dependents are deleted.
func (g *graph) waits(uid types.UID) bool {
	n := g.nodes[uid]
	return n != nil && n.waitsFor(metav1.FinalizerDeleteDependents)
}

func (g *graph) checkDependents(uid types.UID) {
	for _, o := range g.owners[uid] {
		for dependent := range o.dependents {
			g.check(dependent.uid)
		}
	}
}

func (g *graph) remove(n *node) {
	delete(g.nodes, n.uid)
	g.unlink(n, n.namespace, n.refs)
}

// gone takes in that an object is no more.
func (g *graph) gone(s *source, obj metav1.Object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.dead {
		return
	}
	uid := obj.GetUID()
	delete(g.seen, uid)
	if n := g.nodes[uid]; n != nil && n.source == s {
		g.remove(n)
	}
	where := place{source: s, namespace: obj.GetNamespace(), name: obj.GetName()}
	for _, o := range g.owners[uid] {
		o.changes++
		o.standing = unknown
		if o.ref.at(where) {
			o.standing = absent
		}
	}
	g.checkDependents(uid)
}

// replace takes in all objects of a source. Those that it had before and that are not
// among them are gone.
func (g *graph) replace(s *source, objects []metav1.Object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.dead {
		return
	}
	now := make(map[types.UID]struct{}, len(objects))
	for _, obj := range objects {
		now[obj.GetUID()] = struct{}{}
		g.take(s, obj)
	}
	if g.seen != nil && !s.synced.Load() {
		return // it had none before
	}
	for uid, p := range g.seen {
		if _, ok := now[uid]; !ok && p.source == s {
			delete(g.seen, uid)
		}
	}
	for uid, n := range g.nodes {
		if _, ok := now[uid]; !ok && n.source == s {
			g.remove(n)
		}
	}
	for uid, owners := range g.owners {
		if _, ok := now[uid]; ok {
			continue
		}
		for _, o := range owners {
			if o.standing != absent && o.ref.in(s) {
				g.doubt(o)
			}
		}
	}
}

// doubt has an owner looked for anew.
func (g *graph) doubt(o *owner) {
	o.changes++
	o.standing = unknown
	for dependent := range o.dependents {
		g.check(dependent.uid)
	}
}

// drop forgets the objects of a source that ends, and takes in nothing more of it: it
// may be about to tell of something.
func (g *graph) drop(s *source) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.dead = true
	for uid, p := range g.seen {
		if p.source == s {
			delete(g.seen, uid)
		}
	}
	for _, n := range g.nodes {
		if n.source == s {
			g.remove(n)
		}
	}
	for _, owners := range g.owners {
		for _, o := range owners {
			if o.ref.in(s) && o.standing != absent {
				g.doubt(o)
			}
		}
	}
}

// resolve has owners looked for anew whose kind was not served.
func (g *graph) resolve() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, owners := range g.owners {
		for _, o := range owners {
			if o.standing == unresolved {
				g.doubt(o)
			}
		}
	}
}

// claim is a reference of an object, and what is known of the owner.
type claim struct {
	metav1.OwnerReference

	standing standing
	changes  int
	// waits says that the owner is being deleted, after its dependents.
	waits bool
}

// get returns an object and its claims.
func (g *graph) get(uid types.UID) (node, []claim, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.nodes[uid]
	if n == nil {
		return node{}, nil, false
	}
	claims := make([]claim, len(n.refs))
	for i, ref := range n.refs {
		to := n.reference(ref)
		claims[i] = claim{OwnerReference: ref, waits: g.waits(ref.UID) && to.at(g.nodes[ref.UID].place)}
		if o := g.owner(ref.UID, to); o != nil {
			claims[i].standing, claims[i].changes = o.standing, o.changes
		}
	}
	return *n, claims, true
}

// settle keeps what was found out about the owner of an object, unless it has become
// doubtful since it was asked for.
func (g *graph) settle(n *node, c claim) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.owner(c.UID, n.reference(c.OwnerReference))
	if o == nil || o.changes != c.changes {
		return
	}
	o.standing = c.standing
	if c.standing == absent {
		for dependent := range o.dependents {
			g.check(dependent.uid)
		}
	}
}

// ask returns true once for the owner of an object.
func (g *graph) ask(n *node, ref metav1.OwnerReference) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.owner(ref.UID, n.reference(ref))
	if o == nil || o.asked {
		return false
	}
	o.asked = true
	return true
}

// blocked says whether an object has dependents that must go before it.
func (g *graph) blocked(uid types.UID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.nodes[uid]
	for _, o := range g.owners[uid] {
		if n == nil || !o.ref.at(n.place) {
			continue // they mean another place
		}
		for dependent := range o.dependents {
			if slices.ContainsFunc(dependent.refs, func(ref metav1.OwnerReference) bool { return ref.UID == uid && blocks(ref) }) {
				return true
			}
		}
	}
	return false
}

// dependents returns what an object owns.
func (g *graph) dependents(uid types.UID) []node {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []node
	for _, o := range g.owners[uid] {
		for dependent := range o.dependents {
			out = append(out, *dependent)
		}
	}
	return out
}
