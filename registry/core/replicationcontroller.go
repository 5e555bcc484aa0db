// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// ReplicationControllers returns the kind ReplicationController.
func ReplicationControllers() kind.Kind {
	return kind.New(kind.Definition[core.ReplicationController]{
		Kind: "ReplicationController", Plural: "replicationcontrollers", ShortNames: []string{"rc"}, Categories: []string{"all"},
		Prefix:              "controllers", // as in Kubernetes
		Spec:                kind.PartOf(func(r *core.ReplicationController) *corev1.ReplicationControllerSpec { return &r.Spec }),
		Status:              kind.PartOf(func(r *core.ReplicationController) *corev1.ReplicationControllerStatus { return &r.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
