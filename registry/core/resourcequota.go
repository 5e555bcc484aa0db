// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// ResourceQuotas returns the kind ResourceQuota.
func ResourceQuotas() kind.Kind {
	return kind.New(kind.Definition[core.ResourceQuota]{
		Kind: "ResourceQuota", Plural: "resourcequotas", ShortNames: []string{"quota"},
		Spec:                kind.PartOf(func(r *core.ResourceQuota) *corev1.ResourceQuotaSpec { return &r.Spec }),
		Status:              kind.PartOf(func(r *core.ResourceQuota) *corev1.ResourceQuotaStatus { return &r.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
