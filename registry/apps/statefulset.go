// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	appsv1 "k8s.io/api/apps/v1"

	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/registry/kind"
)

// StatefulSets returns the kind StatefulSet.
func StatefulSets() kind.Kind {
	return kind.New(kind.Definition[apps.StatefulSet]{
		Kind: "StatefulSet", Plural: "statefulsets", ShortNames: []string{"sts"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(s *apps.StatefulSet) *appsv1.StatefulSetSpec { return &s.Spec }),
		Status:              kind.PartOf(func(s *apps.StatefulSet) *appsv1.StatefulSetStatus { return &s.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
