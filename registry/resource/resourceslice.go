// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	resourcev1 "k8s.io/api/resource/v1"

	"github.com/stoa-project/stoa/apis/resource"
	"github.com/stoa-project/stoa/registry/kind"
)

// ResourceSlices returns the kind ResourceSlice.
func ResourceSlices() kind.Kind {
	return kind.New(kind.Definition[resource.ResourceSlice]{
		Kind: "ResourceSlice", Plural: "resourceslices",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(r *resource.ResourceSlice) *resourcev1.ResourceSliceSpec { return &r.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
