// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	resourcev1 "k8s.io/api/resource/v1"

	"github.com/stoa-project/stoa/apis/resource"
	"github.com/stoa-project/stoa/registry/kind"
)

// DeviceClasses returns the kind DeviceClass.
func DeviceClasses() kind.Kind {
	return kind.New(kind.Definition[resource.DeviceClass]{
		Kind: "DeviceClass", Plural: "deviceclasses",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(d *resource.DeviceClass) *resourcev1.DeviceClassSpec { return &d.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
