// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// Nodes returns the kind Node.
func Nodes() kind.Kind {
	return kind.New(kind.Definition[core.Node]{
		Kind: "Node", Plural: "nodes", ShortNames: []string{"no"},
		ClusterScoped:       true,
		Prefix:              "minions", // as in Kubernetes
		Spec:                kind.PartOf(func(n *core.Node) *corev1.NodeSpec { return &n.Spec }),
		Status:              kind.PartOf(func(n *core.Node) *corev1.NodeStatus { return &n.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
