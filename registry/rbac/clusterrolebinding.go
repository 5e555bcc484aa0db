// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"github.com/stoa-project/stoa/apis/rbac"
	"github.com/stoa-project/stoa/registry/kind"
)

// ClusterRoleBindings returns the kind ClusterRoleBinding.
func ClusterRoleBindings() kind.Kind {
	return kind.New(kind.Definition[rbac.ClusterRoleBinding]{
		Kind: "ClusterRoleBinding", Plural: "clusterrolebindings",
		ClusterScoped:       true,
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
