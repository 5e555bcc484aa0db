// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package journal knows who sees which namespace, and everything that changed about
// that, in order.
//
//	namespaces ──┐
//	tenants ─────┤                      ┌─► state: who sees what, by subject
//	roles ───────┼─► order by revision ─┤
//	cluster roles┤                      └─► log: what changed, with the revision of
//	bindings ... ┘                               its cause ──► watches
//
// The objects are all in one etcd, whose revisions order them. An object that was
// written at some revision is applied when every source has told all it has up to
// there; a source that has nothing to tell says so in a bookmark, for which Progress
// asks. So the state is at every moment what it was at one revision, and the log has
// the same entries on every server, whatever comes in first.
//
// What an entry means is computed for each watcher: an object comes into his view,
// changes, or leaves it. Watches that cannot be interested are not woken.
//
// Nothing runs, and nothing is kept, before the first use, nor when nobody has asked or
// watched for some minutes.
//
// Start at journal.go, then state.go; view.go has what a user sees of both.
package journal
