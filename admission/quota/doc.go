// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package quota says how much of a resource quota an object uses. The admission plugin
// charges a quota for what is written, and the controller counts again what is there:
// both ask the evaluators of this package, one for each kind of which more is limited
// than the number. Kinds that are only counted need none.
//
// [Charges] is how the controller waits for objects that have been charged and are not
// stored yet. Start at [Evaluators].
package quota
