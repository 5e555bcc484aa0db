// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// ServiceAccounts returns the kind ServiceAccount. Its subresource by which tokens are
// asked for is added by joinTokens.
func ServiceAccounts() kind.Kind {
	return kind.New(kind.Definition[core.ServiceAccount]{
		Kind: "ServiceAccount", Plural: "serviceaccounts", ShortNames: []string{"sa"},
		ReturnsDeleted: true, // as in Kubernetes
		Strategy: kind.Strategy[core.ServiceAccount]{
			// A secret is named and nothing more.
			Prepare: func(_ context.Context, obj, _ *core.ServiceAccount) {
				for i := range obj.Secrets {
					obj.Secrets[i] = corev1.ObjectReference{Name: obj.Secrets[i].Name}
				}
			},
			Warnings: func(_ context.Context, obj, old *core.ServiceAccount) []string {
				return validation.WarningsOnServiceAccount((*corev1.ServiceAccount)(obj), (*corev1.ServiceAccount)(old))
			},
		},
	})
}
