// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	"github.com/stoa-project/stoa/apis/admissionregistration"
	"github.com/stoa-project/stoa/registry/kind"
)

// ValidatingWebhookConfigurations returns the kind ValidatingWebhookConfiguration.
func ValidatingWebhookConfigurations() kind.Kind {
	return kind.New(kind.Definition[admissionregistration.ValidatingWebhookConfiguration]{
		Kind: "ValidatingWebhookConfiguration", Plural: "validatingwebhookconfigurations", Categories: []string{"api-extensions"},
		ClusterScoped:       true,
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
