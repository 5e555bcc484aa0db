// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	"github.com/stoa-project/stoa/apis/admissionregistration"
	admissionregistrationv1 "github.com/stoa-project/stoa/apis/admissionregistration/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group admissionregistration.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    admissionregistration.GroupName,
		Install: kind.Types(admissionregistrationv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: MutatingAdmissionPolicies(), Versions: v1},
			{Kind: MutatingAdmissionPolicyBindings(), Versions: v1},
			{Kind: MutatingWebhookConfigurations(), Versions: v1},
			{Kind: ValidatingAdmissionPolicies(), Versions: v1},
			{Kind: ValidatingAdmissionPolicyBindings(), Versions: v1},
			{Kind: ValidatingWebhookConfigurations(), Versions: v1},
		},
	}
}
