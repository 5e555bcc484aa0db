// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package hubtext writes objects in error messages as Kubernetes does: by the
// names of the fields of its internal types, which have no JSON tags, so that
// nothing is renamed or left out. Our hub types are defined types of the served
// versions and have their tags.
//
// The package is not for anything that is read again. Start at [Of] and [Diff].
package hubtext
