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

// MutatingWebhookConfigurations returns the kind MutatingWebhookConfiguration.
func MutatingWebhookConfigurations() kind.Kind {
	type hooks = admissionregistration.MutatingWebhookConfiguration
	return kind.New(kind.Definition[hooks]{
		Kind: "MutatingWebhookConfiguration", Plural: "mutatingwebhookconfigurations", Categories: []string{"api-extensions"},
		ClusterScoped: true,
		Spec:          kind.PartOf(func(h *hooks) *[]admissionregistrationv1.MutatingWebhook { return &h.Webhooks }),
		Strategy: kind.Strategy[hooks]{
			Validate: func(_ context.Context, obj *hooks) field.ErrorList {
				return append(validation.ValidateMutatingWebhookConfiguration((*admissionregistrationv1.MutatingWebhookConfiguration)(obj)), notStatic(obj.Name)...)
			},
			ValidateUpdate: func(_ context.Context, obj, old *hooks) field.ErrorList {
				return validation.ValidateMutatingWebhookConfigurationUpdate((*admissionregistrationv1.MutatingWebhookConfiguration)(obj), (*admissionregistrationv1.MutatingWebhookConfiguration)(old))
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
