// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"context"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/stoa-project/stoa/apis/rbac"
	"github.com/stoa-project/stoa/apis/rbac/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// RoleBindings returns the kind RoleBinding.
func RoleBindings() kind.Kind {
	return kind.New(kind.Definition[rbac.RoleBinding]{
		Kind: "RoleBinding", Plural: "rolebindings",
		CreateOnUpdate:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[rbac.RoleBinding]{
			ValidateName: validation.ValidateName,
			Declarative:  declarative[rbac.RoleBinding],
			Validate: func(_ context.Context, obj *rbac.RoleBinding) field.ErrorList {
				return validation.ValidateRoleBinding((*rbacv1.RoleBinding)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *rbac.RoleBinding) field.ErrorList {
				return validation.ValidateRoleBindingUpdate((*rbacv1.RoleBinding)(obj), (*rbacv1.RoleBinding)(old))
			},
		},
		Permit: func(ctx context.Context, server kind.Server, obj, old *rbac.RoleBinding) error {
			return permitBinding(ctx, server, "rolebindings", obj, was(old), obj.RoleRef)
		},
		Columns: bindingColumns("roleBinding", func(b *rbac.RoleBinding) (rbacv1.RoleRef, []rbacv1.Subject) { return b.RoleRef, b.Subjects }),
	})
}

// declarative says that tags stop at a role that changed, where the rules written by
// hand go on.
func declarative[T any](context.Context, *T, *T) rest.DeclarativeValidationConfig {
	return rest.DeclarativeValidationConfig{ShortCircuitMismatch: true}
}

func bindingColumns[T any](what string, parts func(*T) (rbacv1.RoleRef, []rbacv1.Subject)) []kind.Column[T] {
	subjects := func(title, subject string, text func(rbacv1.Subject) string) kind.Column[T] {
		return kind.Column[T]{Name: title, Wide: true, Description: title + " in the " + what, Value: func(obj *T) any {
			var names []string
			_, all := parts(obj)
			for _, s := range all {
				if s.Kind == subject {
					names = append(names, text(s))
				}
			}
			return strings.Join(names, ", ")
		}}
	}
	name := func(s rbacv1.Subject) string { return s.Name }
	return []kind.Column[T]{
		kind.Name[T](),
		{Name: "Role", Description: rbacv1.RoleBinding{}.SwaggerDoc()["roleRef"], Value: func(obj *T) any {
			ref, _ := parts(obj)
			return ref.Kind + "/" + ref.Name
		}},
		kind.Age[T](),
		subjects("Users", rbacv1.UserKind, name),
		subjects("Groups", rbacv1.GroupKind, name),
		subjects("ServiceAccounts", rbacv1.ServiceAccountKind, func(s rbacv1.Subject) string { return s.Namespace + "/" + s.Name }),
	}
}
