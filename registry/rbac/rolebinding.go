// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"github.com/stoa-project/stoa/apis/rbac"
	"github.com/stoa-project/stoa/registry/kind"
)

// RoleBindings returns the kind RoleBinding.
func RoleBindings() kind.Kind {
	return kind.New(kind.Definition[rbac.RoleBinding]{
		Kind: "RoleBinding", Plural: "rolebindings",
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
