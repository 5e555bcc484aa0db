// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"github.com/stoa-project/stoa/apis/rbac"
	"github.com/stoa-project/stoa/registry/kind"
)

// ClusterRoles returns the kind ClusterRole.
func ClusterRoles() kind.Kind {
	return kind.New(kind.Definition[rbac.ClusterRole]{
		Kind: "ClusterRole", Plural: "clusterroles",
		ClusterScoped:       true,
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
