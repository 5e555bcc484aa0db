// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/rbac"
	"github.com/stoa-project/stoa/apis/rbac/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// Roles returns the kind Role.
func Roles() kind.Kind {
	return kind.New(kind.Definition[rbac.Role]{
		Kind: "Role", Plural: "roles",
		CreateOnUpdate:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[rbac.Role]{
			ValidateName: validation.ValidateName,
			Validate: func(_ context.Context, obj *rbac.Role) field.ErrorList {
				return validation.ValidateRole((*rbacv1.Role)(obj))
			},
		},
		Permit: func(ctx context.Context, server kind.Server, obj, old *rbac.Role) error {
			return permitRole(ctx, server, "roles", obj, was(old), obj.Rules, false)
		},
		Columns: roleColumns[rbac.Role](),
	})
}

// roleColumns are those of roles, which have no table of their own in Kubernetes.
func roleColumns[T any]() []kind.Column[T] {
	return []kind.Column[T]{
		kind.Name[T](),
		{Name: "Created At", Type: "date", Description: metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"],
			Value: func(obj *T) any {
				return any(obj).(metav1.Object).GetCreationTimestamp().UTC().Format(time.RFC3339)
			}},
	}
}
