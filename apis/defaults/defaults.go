// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package defaults

// Pointer gives a field that is nil a value.
func Pointer[T any](field **T, value T) {
	if *field == nil {
		*field = new(value) // a copy, so that a field that is set costs no memory
	}
}

// Value gives a field that is zero a value.
func Value[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}
