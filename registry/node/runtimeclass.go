// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"maps"
	"slices"

	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/node"
	"github.com/stoa-project/stoa/apis/node/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// RuntimeClasses returns the kind RuntimeClass.
func RuntimeClasses() kind.Kind {
	return kind.New(kind.Definition[node.RuntimeClass]{
		Kind: "RuntimeClass", Plural: "runtimeclasses",
		ClusterScoped: true,
		Strategy: kind.Strategy[node.RuntimeClass]{
			Validate: func(_ context.Context, obj *node.RuntimeClass) field.ErrorList {
				return validation.ValidateRuntimeClass((*nodev1.RuntimeClass)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *node.RuntimeClass) field.ErrorList {
				return validation.ValidateRuntimeClassUpdate((*nodev1.RuntimeClass)(obj), (*nodev1.RuntimeClass)(old))
			},
			Warnings: runtimeWarnings,
		},
		Columns: []kind.Column[node.RuntimeClass]{
			kind.Name[node.RuntimeClass](),
			{Name: "Handler", Description: nodev1.RuntimeClass{}.SwaggerDoc()["handler"],
				Value: func(r *node.RuntimeClass) any { return r.Handler }},
			kind.Age[node.RuntimeClass](),
		},
	})
}

// runtimeWarnings is about labels of nodes that are not to be used any more.
func runtimeWarnings(_ context.Context, obj, _ *node.RuntimeClass) []string {
	if obj.Scheduling == nil {
		return nil
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(obj.Scheduling.NodeSelector)) {
		if text, old := corevalidation.NodeLabelDeprecation(key); old {
			out = append(out, fmt.Sprintf("%s: %s", field.NewPath("scheduling", "nodeSelector"), text))
		}
	}
	return out
}
