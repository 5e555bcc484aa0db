// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/resource"
	"github.com/stoa-project/stoa/apis/resource/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// resourceSlices returns the kind ResourceSlice.
func resourceSlices() kind.Kind {
	return kind.New(kind.Definition[resource.ResourceSlice]{
		Kind: "ResourceSlice", Plural: "resourceslices",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(r *resource.ResourceSlice) *resourcev1.ResourceSliceSpec { return &r.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes, here and in the next
		ReturnsDeleted:      true,
		Strategy: kind.Strategy[resource.ResourceSlice]{
			Prepare: func(_ context.Context, obj, old *resource.ResourceSlice) {
				var before *resourcev1.ResourceSliceSpec
				if old != nil {
					before = &old.Spec
				}
				dropSliceFields(&obj.Spec, before)
			},
			Validate: func(_ context.Context, obj *resource.ResourceSlice) field.ErrorList {
				return validation.ValidateResourceSlice((*resourcev1.ResourceSlice)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *resource.ResourceSlice) field.ErrorList {
				return validation.ValidateResourceSliceUpdate((*resourcev1.ResourceSlice)(obj), (*resourcev1.ResourceSlice)(old))
			},
			Warnings: func(_ context.Context, obj, _ *resource.ResourceSlice) []string {
				return validation.WarningsOnResourceSlice((*resourcev1.ResourceSlice)(obj))
			},
		},
		Columns: []kind.Column[resource.ResourceSlice]{
			kind.Name[resource.ResourceSlice](),
			{Name: "Node", Description: resourcev1.ResourceSliceSpec{}.SwaggerDoc()["nodeName"],
				Value: func(r *resource.ResourceSlice) any { return ptr.Deref(r.Spec.NodeName, "") }},
			{Name: "Driver", Description: resourcev1.ResourceSliceSpec{}.SwaggerDoc()["driver"],
				Value: func(r *resource.ResourceSlice) any { return r.Spec.Driver }},
			{Name: "Pool", Description: resourcev1.ResourcePool{}.SwaggerDoc()["name"],
				Value: func(r *resource.ResourceSlice) any { return r.Spec.Pool.Name }},
			kind.Age[resource.ResourceSlice](),
		},
		Fields: []kind.Field[resource.ResourceSlice]{
			{Path: resourcev1.ResourceSliceSelectorNodeName, Index: true, Value: func(r *resource.ResourceSlice) string { return ptr.Deref(r.Spec.NodeName, "") }},
			{Path: resourcev1.ResourceSliceSelectorDriver, Value: func(r *resource.ResourceSlice) string { return r.Spec.Driver }},
			{Path: resourcev1.ResourceSliceSelectorPoolName, Value: func(r *resource.ResourceSlice) string { return r.Spec.Pool.Name }},
		},
	})
}
