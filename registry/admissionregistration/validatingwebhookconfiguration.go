// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/admissionregistration"
	"github.com/stoa-project/stoa/apis/admissionregistration/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// ValidatingWebhookConfigurations returns the kind ValidatingWebhookConfiguration.
func ValidatingWebhookConfigurations() kind.Kind {
	type hooks = admissionregistration.ValidatingWebhookConfiguration
	return kind.New(kind.Definition[hooks]{
		Kind: "ValidatingWebhookConfiguration", Plural: "validatingwebhookconfigurations", Categories: []string{"api-extensions"},
		ClusterScoped: true,
		Spec:          kind.PartOf(func(h *hooks) *[]admissionregistrationv1.ValidatingWebhook { return &h.Webhooks }),
		Strategy: kind.Strategy[hooks]{
			Validate: func(_ context.Context, obj *hooks) field.ErrorList {
				return append(validation.ValidateValidatingWebhookConfiguration((*admissionregistrationv1.ValidatingWebhookConfiguration)(obj)), notStatic(obj.Name)...)
			},
			ValidateUpdate: func(_ context.Context, obj, old *hooks) field.ErrorList {
				return validation.ValidateValidatingWebhookConfigurationUpdate((*admissionregistrationv1.ValidatingWebhookConfiguration)(obj), (*admissionregistrationv1.ValidatingWebhookConfiguration)(old))
			},
			Warnings: func(_ context.Context, obj, old *hooks) []string { return warnOfStatic(obj.Name, old == nil) },
		},
		Columns: []kind.Column[hooks]{
			kind.Name[hooks](),
			{Name: "Webhooks", Type: "integer", Description: "Webhooks indicates the number of webhooks registered in this configuration",
				Value: func(h *hooks) any { return len(h.Webhooks) }},
			kind.Age[hooks](),
		},
	})
}
