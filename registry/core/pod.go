// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// Pods returns the kind Pod.
func Pods() kind.Kind {
	return kind.New(kind.Definition[core.Pod]{
		Kind: "Pod", Plural: "pods", ShortNames: []string{"po"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(p *core.Pod) *corev1.PodSpec { return &p.Spec }),
		Status:              kind.PartOf(func(p *core.Pod) *corev1.PodStatus { return &p.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
