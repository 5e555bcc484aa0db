// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	resourcev1 "k8s.io/api/resource/v1"

	"github.com/stoa-project/stoa/apis/resource"
	"github.com/stoa-project/stoa/registry/kind"
)

// ResourceClaims returns the kind ResourceClaim.
func ResourceClaims() kind.Kind {
	return kind.New(kind.Definition[resource.ResourceClaim]{
		Kind: "ResourceClaim", Plural: "resourceclaims",
		Spec:                kind.PartOf(func(r *resource.ResourceClaim) *resourcev1.ResourceClaimSpec { return &r.Spec }),
		Status:              kind.PartOf(func(r *resource.ResourceClaim) *resourcev1.ResourceClaimStatus { return &r.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
