// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	appsv1 "k8s.io/api/apps/v1"

	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/registry/kind"
)

// ReplicaSets returns the kind ReplicaSet.
func ReplicaSets() kind.Kind {
	return kind.New(kind.Definition[apps.ReplicaSet]{
		Kind: "ReplicaSet", Plural: "replicasets", ShortNames: []string{"rs"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(r *apps.ReplicaSet) *appsv1.ReplicaSetSpec { return &r.Spec }),
		Status:              kind.PartOf(func(r *apps.ReplicaSet) *appsv1.ReplicaSetStatus { return &r.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
