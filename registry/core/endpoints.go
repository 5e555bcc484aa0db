// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// Endpoints returns the kind Endpoints.
func Endpoints() kind.Kind {
	return kind.New(kind.Definition[core.Endpoints]{
		Kind: "Endpoints", Plural: "endpoints", ShortNames: []string{"ep"},
		Prefix:              "services/endpoints", // as in Kubernetes
		UnconditionalUpdate: true,                 // as in Kubernetes
	})
}
