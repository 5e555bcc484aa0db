// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/registry/kind"
)

// ControllerRevisions returns the kind ControllerRevision.
func ControllerRevisions() kind.Kind {
	return kind.New(kind.Definition[apps.ControllerRevision]{
		Kind: "ControllerRevision", Plural: "controllerrevisions",
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
