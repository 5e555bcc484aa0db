// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package garbagecollector

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/stoa-project/stoa/controllers/catalog"
)

// world is a graph of config maps and secrets, and what it has looked at.
type world struct {
	*testing.T
	graph                        *graph
	maps, secrets                *source
	checked, later, orphanedLate []string
}

func newWorld(t *testing.T) *world {
	w := &world{T: t}
	w.graph = newGraph(
		func(uid types.UID) { w.checked = append(w.checked, string(uid)) },
		func(uid types.UID) { w.later = append(w.later, string(uid)) },
		func(uid types.UID) { w.orphanedLate = append(w.orphanedLate, string(uid)) })
	of := func(resource, kind string) *source {
		return &source{graph: w.graph, resource: catalog.Resource{
			GroupVersionResource: schema.GroupVersionResource{Version: "v1", Resource: resource}, Kind: kind, Namespaced: true,
		}}
	}
	w.maps, w.secrets = of("configmaps", "ConfigMap"), of("secrets", "Secret")
	return w
}

// object has a name that is its UID too. Its owners are config maps; one that begins
// with an exclamation mark is blocked.
func object(name, version string, owners ...string) *metav1.ObjectMeta {
	out := &metav1.ObjectMeta{Namespace: "n", Name: name, UID: types.UID(name), ResourceVersion: version}
	for _, owner := range owners {
		plain, blocks := strings.CutPrefix(owner, "!")
		out.OwnerReferences = append(out.OwnerReferences, metav1.OwnerReference{
			APIVersion: "v1", Kind: "ConfigMap", Name: plain, UID: types.UID(plain), BlockOwnerDeletion: &blocks,
		})
	}
	return out
}

func deleted(obj *metav1.ObjectMeta, finalizers ...string) *metav1.ObjectMeta {
	obj.DeletionTimestamp, obj.Finalizers = &metav1.Time{}, finalizers
	return obj
}

// wantChecked compares what was looked at since the last call.
func (w *world) wantChecked(want ...string) {
	w.Helper()
	slices.Sort(w.checked)
	if diff := cmp.Diff(want, w.checked); diff != "" {
		w.Errorf("looked at (-want +got):\n%s", diff)
	}
	w.checked = nil
}

// wantStanding compares what is known of the first owner of an object.
func (w *world) wantStanding(uid types.UID, want standing) {
	w.Helper()
	_, claims, ok := w.graph.get(uid)
	if !ok || len(claims) == 0 || claims[0].standing != want {
		w.Errorf("%s: %t, claims %+v, want standing %d", uid, ok, claims, want)
	}
}

// Owners that were listed at the start are there; others must be asked for.
func TestGraphBegin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.graph.replace(w.secrets, []metav1.Object{object("a", "1", "there"), object("b", "1", "lost"), object("c", "1")})
	w.graph.replace(w.maps, []metav1.Object{object("there", "1")})
	w.wantChecked("a", "b")
	w.graph.begin()
	w.wantStanding("a", exists)
	w.wantStanding("b", unknown)
	if _, _, ok := w.graph.get("c"); ok {
		t.Error("the graph keeps what has no owners")
	}
	if w.graph.seen != nil {
		t.Error("the graph keeps what it has seen at the start")
	}
}

// What a source that is dropped had seen does not count at the start, and what it still
// tells is not taken in.
func TestGraphDrop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.graph.replace(w.maps, []metav1.Object{object("owner", "1"), object("owned", "1", "owner")})
	w.graph.replace(w.secrets, []metav1.Object{object("a", "1", "owner")})
	w.checked = nil
	w.graph.drop(w.maps)
	w.wantChecked("a") // after which its owner may be of another version, or of none
	w.graph.observe(w.maps, object("late", "1", "owner"))
	w.graph.replace(w.maps, []metav1.Object{object("late", "1", "owner"), object("owner", "1")})
	w.graph.refine(w.maps, object("a", "9", "owner"))
	w.graph.gone(w.maps, object("owner", "1"))
	w.wantChecked()
	for _, uid := range []types.UID{"owned", "late"} {
		if _, _, ok := w.graph.get(uid); ok {
			t.Errorf("the graph has %s of a source that was dropped", uid)
		}
	}
	if n, _, _ := w.graph.get("a"); n.version != "1" {
		t.Errorf("version %s of an object of another source", n.version)
	}
	w.graph.begin()
	w.wantStanding("a", unknown)
}

// An owner that goes has what it owns looked at, and is absent where it was alone.
func TestGraphGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.graph.begin()
	elsewhere := object("far", "1", "owner")
	elsewhere.Namespace = "other"
	w.graph.observe(w.secrets, object("near", "1", "owner"))
	w.graph.observe(w.secrets, elsewhere)
	w.graph.observe(w.secrets, object("other", "1", "kept"))
	w.wantChecked("far", "near", "other")
	w.graph.gone(w.maps, object("owner", "1"))
	w.wantChecked("far", "near")
	w.wantStanding("near", absent)
	w.wantStanding("far", unknown) // its owner would be in the other namespace

	// What is seen in a list that lacks an owner, after a gap in the watch, is the same.
	w.graph.settle(w.graph.nodes["other"], claim{OwnerReference: object("", "", "kept").OwnerReferences[0], standing: exists})
	w.graph.replace(w.maps, []metav1.Object{object("unrelated", "5")})
	w.wantChecked("far", "other")
	w.wantStanding("other", unknown)
}

// What was found out about an owner counts only if it has not gone meanwhile.
func TestGraphSettle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.graph.begin()
	w.graph.observe(w.secrets, object("a", "1", "owner"))
	n, claims, _ := w.graph.get("a")
	w.graph.gone(w.maps, object("owner", "1"))
	w.checked = nil
	claims[0].standing = exists
	w.graph.settle(&n, claims[0])
	w.wantStanding("a", absent)

	_, claims, _ = w.graph.get("a")
	claims[0].standing = exists
	w.graph.settle(&n, claims[0])
	w.wantStanding("a", exists)
	if !w.graph.ask(&n, claims[0].OwnerReference) || w.graph.ask(&n, claims[0].OwnerReference) {
		t.Error("an owner is not looked for elsewhere once")
	}
}

// An older version of an object changes nothing.
func TestGraphVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.graph.begin()
	w.graph.observe(w.secrets, object("a", "10", "new"))
	w.graph.observe(w.secrets, object("a", "9", "old"))
	w.graph.refine(w.secrets, object("b", "9", "old")) // of which the graph has heard nothing, or no more
	if n, _, _ := w.graph.get("a"); n.refs[0].Name != "new" {
		t.Errorf("owner %s, want new", n.refs[0].Name)
	}
	if len(w.graph.owners) != 1 {
		t.Errorf("%d owners, want 1", len(w.graph.owners))
	}
	w.graph.observe(w.secrets, object("a", "11"))
	if len(w.graph.owners) != 0 || len(w.graph.nodes) != 0 {
		t.Errorf("without owners there are %d nodes and %d owners", len(w.graph.nodes), len(w.graph.owners))
	}
}

// An owner that waits for what it owns is looked at when that goes, and is blocked
// until then by what says so.
func TestGraphWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.graph.begin()
	w.graph.observe(w.secrets, object("blocks", "1", "!owner"))
	w.graph.observe(w.secrets, object("does-not", "1", "owner"))
	w.graph.observe(w.maps, deleted(object("owner", "2"), metav1.FinalizerDeleteDependents))
	if diff := cmp.Diff([]string{"owner"}, w.later); diff != "" {
		t.Errorf("looked at when sources have caught up (-want +got):\n%s", diff)
	}
	if !w.graph.blocked("owner") || len(w.graph.dependents("owner")) != 2 {
		t.Errorf("blocked %t by %d", w.graph.blocked("owner"), len(w.graph.dependents("owner")))
	}
	w.checked = nil
	w.graph.tell("owner")
	w.graph.tell("owner")
	w.wantChecked("blocks", "does-not")
	w.graph.gone(w.secrets, object("blocks", "1"))
	w.wantChecked("owner")
	if w.graph.blocked("owner") {
		t.Error("blocked by what is gone")
	}
	w.graph.observe(w.maps, deleted(object("freed", "2"), metav1.FinalizerOrphanDependents))
	if diff := cmp.Diff([]string{"freed"}, w.orphanedLate); diff != "" {
		t.Errorf("to be orphaned (-want +got):\n%s", diff)
	}
}
