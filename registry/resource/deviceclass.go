// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/resource"
	"github.com/stoa-project/stoa/apis/resource/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// deviceClasses returns the kind DeviceClass.
func deviceClasses() kind.Kind {
	return kind.New(kind.Definition[resource.DeviceClass]{
		Kind: "DeviceClass", Plural: "deviceclasses",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(d *resource.DeviceClass) *resourcev1.DeviceClassSpec { return &d.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes, here and in the next
		ReturnsDeleted:      true,
		Strategy: kind.Strategy[resource.DeviceClass]{
			// The tags of the type judge the name.
			ValidateName: func(string, bool) []string { return nil },
			Validate: func(_ context.Context, obj *resource.DeviceClass) field.ErrorList {
				return validation.ValidateDeviceClass((*resourcev1.DeviceClass)(obj), nil)
			},
			ValidateUpdate: func(_ context.Context, obj, old *resource.DeviceClass) field.ErrorList {
				return validation.ValidateDeviceClass((*resourcev1.DeviceClass)(obj), (*resourcev1.DeviceClass)(old))
			},
		},
	})
}
