// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package flowcontrol

import (
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"

	"github.com/stoa-project/stoa/apis/flowcontrol"
	"github.com/stoa-project/stoa/registry/kind"
)

// FlowSchemas returns the kind FlowSchema.
func FlowSchemas() kind.Kind {
	return kind.New(kind.Definition[flowcontrol.FlowSchema]{
		Kind: "FlowSchema", Plural: "flowschemas",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(f *flowcontrol.FlowSchema) *flowcontrolv1.FlowSchemaSpec { return &f.Spec }),
		Status:              kind.PartOf(func(f *flowcontrol.FlowSchema) *flowcontrolv1.FlowSchemaStatus { return &f.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
