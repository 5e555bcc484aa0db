// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"github.com/stoa-project/stoa/apis/node"
	"github.com/stoa-project/stoa/registry/kind"
)

// RuntimeClasses returns the kind RuntimeClass.
func RuntimeClasses() kind.Kind {
	return kind.New(kind.Definition[node.RuntimeClass]{
		Kind: "RuntimeClass", Plural: "runtimeclasses",
		ClusterScoped:       true,
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
