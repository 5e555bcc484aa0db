// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// LimitRanges returns the kind LimitRange.
func LimitRanges() kind.Kind {
	return kind.New(kind.Definition[core.LimitRange]{
		Kind: "LimitRange", Plural: "limitranges", ShortNames: []string{"limits"},
		Spec:                kind.PartOf(func(l *core.LimitRange) *corev1.LimitRangeSpec { return &l.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
