// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	resourcev1 "k8s.io/api/resource/v1"

	"github.com/stoa-project/stoa/apis/resource"
	"github.com/stoa-project/stoa/registry/kind"
)

// ResourceClaimTemplates returns the kind ResourceClaimTemplate.
func ResourceClaimTemplates() kind.Kind {
	return kind.New(kind.Definition[resource.ResourceClaimTemplate]{
		Kind: "ResourceClaimTemplate", Plural: "resourceclaimtemplates",
		Spec:                kind.PartOf(func(r *resource.ResourceClaimTemplate) *resourcev1.ResourceClaimTemplateSpec { return &r.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
