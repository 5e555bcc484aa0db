// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package kind turns the description of a kind into the REST storage that
// k8s.io/apiserver serves.
//
// A kind is data: one [Definition] names it, points at its spec and status,
// lists its columns and selectable fields, and carries the few functions that
// are special to it in a [Strategy]. [New] derives the rest, so that no kind can
// get it wrong on its own:
//
//   - the store, its keys, table output, short names and categories;
//   - on the main endpoint: status is cleared on create and kept on update,
//     metadata.generation starts at 1 and counts spec changes, server-side apply
//     knows that status is reset, in every served version;
//   - /status, and any other [Subresource] that edits one part of the object:
//     everything but that part and managedFields stays as it was, the parent is
//     never created through it;
//   - label and field selectors, their index and the field labels of every
//     served version, from one list of fields;
//   - declarative validation, wherever the served types carry the tags.
//
// A [Group] is the table of the kinds of an API group. A resource that is not
// stored (a review, a virtual kind) implements rest.Storage itself and joins the
// table through [Custom].
//
// The package is not for: defaults, conversions and validation (they belong to
// the types in apis/), admission, authorization, and controllers.
//
// Start reading at [Definition]; registry/tenancy/tenant.go is a complete
// example and package kindtest checks any definition against this contract.
package kind
