// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/rbac"
	"github.com/stoa-project/stoa/apis/rbac/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// ClusterRoleBindings returns the kind ClusterRoleBinding.
func ClusterRoleBindings() kind.Kind {
	return kind.New(kind.Definition[rbac.ClusterRoleBinding]{
		Kind: "ClusterRoleBinding", Plural: "clusterrolebindings",
		ClusterScoped:       true,
		CreateOnUpdate:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[rbac.ClusterRoleBinding]{
			ValidateName: validation.ValidateName,
			Declarative:  declarative[rbac.ClusterRoleBinding],
			Validate: func(_ context.Context, obj *rbac.ClusterRoleBinding) field.ErrorList {
				return validation.ValidateClusterRoleBinding((*rbacv1.ClusterRoleBinding)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *rbac.ClusterRoleBinding) field.ErrorList {
				return validation.ValidateClusterRoleBindingUpdate((*rbacv1.ClusterRoleBinding)(obj), (*rbacv1.ClusterRoleBinding)(old))
			},
		},
		Permit: func(ctx context.Context, server kind.Server, obj, old *rbac.ClusterRoleBinding) error {
			return permitBinding(ctx, server, "clusterrolebindings", obj, was(old), obj.RoleRef)
		},
		Columns: bindingColumns("clusterRoleBinding", func(b *rbac.ClusterRoleBinding) (rbacv1.RoleRef, []rbacv1.Subject) { return b.RoleRef, b.Subjects }),
	})
}
