// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package scheduling

import (
	"github.com/stoa-project/stoa/apis/scheduling"
	"github.com/stoa-project/stoa/registry/kind"
)

// PriorityClasses returns the kind PriorityClass.
func PriorityClasses() kind.Kind {
	return kind.New(kind.Definition[scheduling.PriorityClass]{
		Kind: "PriorityClass", Plural: "priorityclasses", ShortNames: []string{"pc"},
		ClusterScoped:       true,
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
