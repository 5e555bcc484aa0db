// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package validation holds what a tenant or a grant must satisfy beyond the
// tags of its types.
//
// A rule is a tag when every served version has the field. It is written here
// when it looks at several fields, or at a field that not every version has:
// what v1alpha1 carries in its annotation is not seen by the tags of v1alpha1.
// No rule is in both places: the server would report it twice.
//
// Paths are those of the hub and of v1; v1alpha1 has tables that translate them.
package validation
