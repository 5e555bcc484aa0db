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

// resourceClaimTemplates returns the kind ResourceClaimTemplate.
func resourceClaimTemplates() kind.Kind {
	return kind.New(kind.Definition[resource.ResourceClaimTemplate]{
		Kind: "ResourceClaimTemplate", Plural: "resourceclaimtemplates",
		UnconditionalUpdate: true, // as in Kubernetes, here and in the next
		ReturnsDeleted:      true,
		StrategyFor:         resourceClaimTemplateStrategy,
	})
}

func resourceClaimTemplateStrategy(server kind.Server) (kind.Strategy[resource.ResourceClaimTemplate], error) {
	admins, err := newAdministrators(server)
	if err != nil {
		return kind.Strategy[resource.ResourceClaimTemplate]{}, err
	}
	return kind.Strategy[resource.ResourceClaimTemplate]{
		Prepare: func(_ context.Context, obj, old *resource.ResourceClaimTemplate) {
			var before *resourcev1.DeviceClaim
			if old != nil {
				before = &old.Spec.Spec.Devices
			}
			dropClaimFields(&obj.Spec.Spec.Devices, before)
		},
		Validate: func(ctx context.Context, obj *resource.ResourceClaimTemplate) field.ErrorList {
			return append(admins.validateRequests(ctx, obj.Namespace, obj.Spec.Spec.Devices.Requests),
				validation.ValidateResourceClaimTemplate((*resourcev1.ResourceClaimTemplate)(obj))...)
		},
		ValidateUpdate: func(_ context.Context, obj, old *resource.ResourceClaimTemplate) field.ErrorList {
			return validation.ValidateResourceClaimTemplateUpdate((*resourcev1.ResourceClaimTemplate)(obj), (*resourcev1.ResourceClaimTemplate)(old))
		},
	}, nil
}
