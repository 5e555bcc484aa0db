// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// ResourceQuotas returns the kind ResourceQuota.
func ResourceQuotas() kind.Kind {
	return kind.New(kind.Definition[core.ResourceQuota]{
		Kind: "ResourceQuota", Plural: "resourcequotas", ShortNames: []string{"quota"},
		Spec:                kind.PartOf(func(r *core.ResourceQuota) *corev1.ResourceQuotaSpec { return &r.Spec }),
		Status:              kind.PartOf(func(r *core.ResourceQuota) *corev1.ResourceQuotaStatus { return &r.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next three
		NoGeneration:        true,
		UnconditionalUpdate: true,
		ReturnsDeleted:      true,
		Strategy: kind.Strategy[core.ResourceQuota]{
			Validate: func(_ context.Context, obj *core.ResourceQuota) field.ErrorList {
				return validation.ValidateResourceQuota((*corev1.ResourceQuota)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.ResourceQuota) field.ErrorList {
				return validation.ValidateResourceQuotaUpdate((*corev1.ResourceQuota)(obj), (*corev1.ResourceQuota)(old))
			},
			ValidateStatus: func(_ context.Context, obj, _ *core.ResourceQuota) field.ErrorList {
				return validation.ValidateResourceQuotaStatus((*corev1.ResourceQuota)(obj))
			},
		},
		Columns: []kind.Column[core.ResourceQuota]{
			kind.Name[core.ResourceQuota](),
			{Name: "Request", Description: "Request represents a minimum amount of cpu/memory that a container may consume.",
				Value: func(r *core.ResourceQuota) any { return quotaUse(r, false) }},
			{Name: "Limit", Description: "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.",
				Value: func(r *core.ResourceQuota) any { return quotaUse(r, true) }},
			kind.Age[core.ResourceQuota](),
		},
	})
}

// quotaUse says how much of the limits, or of everything else, is used.
func quotaUse(r *core.ResourceQuota, limits bool) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.Status.Hard)) {
		if strings.HasPrefix(string(name), "limits.") != limits {
			continue
		}
		used, hard := r.Status.Used[name], r.Status.Hard[name]
		out = append(out, fmt.Sprintf("%s: %s/%s", name, used.String(), hard.String()))
	}
	return strings.Join(out, ", ")
}
