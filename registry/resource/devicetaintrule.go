// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	resourcev1 "k8s.io/api/resource/v1"

	"github.com/stoa-project/stoa/apis/resource"
	"github.com/stoa-project/stoa/registry/kind"
)

// DeviceTaintRules returns the kind DeviceTaintRule.
func DeviceTaintRules() kind.Kind {
	return kind.New(kind.Definition[resource.DeviceTaintRule]{
		Kind: "DeviceTaintRule", Plural: "devicetaintrules",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(d *resource.DeviceTaintRule) *resourcev1.DeviceTaintRuleSpec { return &d.Spec }),
		Status:              kind.PartOf(func(d *resource.DeviceTaintRule) *resourcev1.DeviceTaintRuleStatus { return &d.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
