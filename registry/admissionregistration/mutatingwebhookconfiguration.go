// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	"github.com/stoa-project/stoa/apis/admissionregistration"
	"github.com/stoa-project/stoa/registry/kind"
)

// MutatingWebhookConfigurations returns the kind MutatingWebhookConfiguration.
func MutatingWebhookConfigurations() kind.Kind {
	return kind.New(kind.Definition[admissionregistration.MutatingWebhookConfiguration]{
		Kind: "MutatingWebhookConfiguration", Plural: "mutatingwebhookconfigurations", Categories: []string{"api-extensions"},
		ClusterScoped:       true,
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
