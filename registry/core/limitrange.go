// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// LimitRanges returns the kind LimitRange.
func LimitRanges() kind.Kind {
	return kind.New(kind.Definition[core.LimitRange]{
		Kind: "LimitRange", Plural: "limitranges", ShortNames: []string{"limits"},
		CreateOnUpdate:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[core.LimitRange]{
			Prepare: func(_ context.Context, obj, old *core.LimitRange) {
				if old == nil && obj.Name == "" {
					obj.Name = uuid.NewString() // Kubernetes needs no name here
				}
			},
			Validate: func(_ context.Context, obj *core.LimitRange) field.ErrorList {
				return validation.ValidateLimitRange((*corev1.LimitRange)(obj))
			},
		},
		Columns: []kind.Column[core.LimitRange]{
			kind.Name[core.LimitRange](),
			{Name: "Created At", Type: "date", Description: metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"],
				Value: func(l *core.LimitRange) any { return l.CreationTimestamp.UTC().Format(time.RFC3339) }},
		},
	})
}
