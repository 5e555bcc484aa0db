// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"github.com/stoa-project/stoa/apis/rbac"
	"github.com/stoa-project/stoa/registry/kind"
)

// Roles returns the kind Role.
func Roles() kind.Kind {
	return kind.New(kind.Definition[rbac.Role]{
		Kind: "Role", Plural: "roles",
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
