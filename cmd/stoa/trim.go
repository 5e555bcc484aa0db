// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"github.com/stoa-project/stoa/server/mapped"
)

// trim gives back the pages of the binary that only the start needed: initialisation
// touches nearly all of it once. It looks at nothing else: what other parts of the
// process have mapped, they may unmap at any time.
func trim() {
	if path, err := os.Executable(); err == nil {
		mapped.Drop(path)
	}
}
