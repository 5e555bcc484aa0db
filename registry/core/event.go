// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// Events returns the kind Event.
func Events() kind.Kind {
	return kind.New(kind.Definition[core.Event]{
		Kind: "Event", Plural: "events", ShortNames: []string{"ev"},
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
