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

// ConfigMaps returns the kind ConfigMap.
func ConfigMaps() kind.Kind {
	return kind.New(kind.Definition[core.ConfigMap]{
		Kind: "ConfigMap", Plural: "configmaps", ShortNames: []string{"cm"},
		UnconditionalUpdate: true, // as in Kubernetes
		Strategy: kind.Strategy[core.ConfigMap]{
			Validate: func(_ context.Context, obj *core.ConfigMap) field.ErrorList {
				return validation.ValidateConfigMap((*corev1.ConfigMap)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.ConfigMap) field.ErrorList {
				return validation.ValidateConfigMapUpdate((*corev1.ConfigMap)(obj), (*corev1.ConfigMap)(old))
			},
		},
		Columns: []kind.Column[core.ConfigMap]{
			kind.Name[core.ConfigMap](),
			{Name: "Data", Description: corev1.ConfigMap{}.SwaggerDoc()["data"],
				Value: func(c *core.ConfigMap) any { return len(c.Data) + len(c.BinaryData) }},
			kind.Age[core.ConfigMap](),
		},
	})
}
