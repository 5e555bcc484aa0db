// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

// setDefault gives a field that is not set a value.
func setDefault[T any](to **T, value T) {
	if *to == nil {
		*to = &value
	}
}
