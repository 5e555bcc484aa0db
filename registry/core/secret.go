// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// Secrets returns the kind Secret.
func Secrets() kind.Kind {
	return kind.New(kind.Definition[core.Secret]{
		Kind: "Secret", Plural: "secrets",
		UnconditionalUpdate: true, // as in Kubernetes
		Strategy: kind.Strategy[core.Secret]{
			Validate: func(_ context.Context, obj *core.Secret) field.ErrorList {
				return validation.ValidateSecret((*corev1.Secret)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.Secret) field.ErrorList {
				return validation.ValidateSecretUpdate((*corev1.Secret)(obj), (*corev1.Secret)(old))
			},
			Warnings: func(_ context.Context, obj, _ *core.Secret) []string {
				return validation.WarningsOnSecret((*corev1.Secret)(obj))
			},
		},
		Columns: []kind.Column[core.Secret]{
			kind.Name[core.Secret](),
			{Name: "Type", Description: corev1.Secret{}.SwaggerDoc()["type"],
				Value: func(s *core.Secret) any { return string(s.Type) }},
			{Name: "Data", Description: corev1.Secret{}.SwaggerDoc()["data"],
				Value: func(s *core.Secret) any { return len(s.Data) }},
			kind.Age[core.Secret](),
		},
		Fields: []kind.Field[core.Secret]{
			{Path: "type", Value: func(s *core.Secret) string { return string(s.Type) }},
		},
	})
}
