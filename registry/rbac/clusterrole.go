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

// ClusterRoles returns the kind ClusterRole.
func ClusterRoles() kind.Kind {
	return kind.New(kind.Definition[rbac.ClusterRole]{
		Kind: "ClusterRole", Plural: "clusterroles",
		ClusterScoped:       true,
		CreateOnUpdate:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[rbac.ClusterRole]{
			ValidateName: validation.ValidateName,
			Validate: func(_ context.Context, obj *rbac.ClusterRole) field.ErrorList {
				return validation.ValidateClusterRole((*rbacv1.ClusterRole)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *rbac.ClusterRole) field.ErrorList {
				return validation.ValidateClusterRoleUpdate((*rbacv1.ClusterRole)(obj), (*rbacv1.ClusterRole)(old))
			},
		},
		Permit: func(ctx context.Context, server kind.Server, obj, old *rbac.ClusterRole) error {
			aggregates := obj.AggregationRule != nil || old != nil && old.AggregationRule != nil
			return permitRole(ctx, server, "clusterroles", obj, was(old), obj.Rules, aggregates)
		},
		Columns: roleColumns[rbac.ClusterRole](),
	})
}
