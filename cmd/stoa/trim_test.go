// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestTrim runs it on this process, which must live on.
func TestTrim(t *testing.T) {
	t.Parallel()
	trim()
	tuneGC()
}
