// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// PodTemplates returns the kind PodTemplate.
func PodTemplates() kind.Kind {
	return kind.New(kind.Definition[core.PodTemplate]{
		Kind: "PodTemplate", Plural: "podtemplates",
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
