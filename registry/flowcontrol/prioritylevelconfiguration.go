// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package flowcontrol

import (
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"

	"github.com/stoa-project/stoa/apis/flowcontrol"
	"github.com/stoa-project/stoa/registry/kind"
)

// PriorityLevelConfigurations returns the kind PriorityLevelConfiguration.
func PriorityLevelConfigurations() kind.Kind {
	return kind.New(kind.Definition[flowcontrol.PriorityLevelConfiguration]{
		Kind: "PriorityLevelConfiguration", Plural: "prioritylevelconfigurations",
		ClusterScoped: true,
		Spec: kind.PartOf(func(p *flowcontrol.PriorityLevelConfiguration) *flowcontrolv1.PriorityLevelConfigurationSpec {
			return &p.Spec
		}),
		Status: kind.PartOf(func(p *flowcontrol.PriorityLevelConfiguration) *flowcontrolv1.PriorityLevelConfigurationStatus {
			return &p.Status
		}),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
