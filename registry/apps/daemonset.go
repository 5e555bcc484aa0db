// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	appsv1 "k8s.io/api/apps/v1"

	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/registry/kind"
)

// DaemonSets returns the kind DaemonSet.
func DaemonSets() kind.Kind {
	return kind.New(kind.Definition[apps.DaemonSet]{
		Kind: "DaemonSet", Plural: "daemonsets", ShortNames: []string{"ds"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(d *apps.DaemonSet) *appsv1.DaemonSetSpec { return &d.Spec }),
		Status:              kind.PartOf(func(d *apps.DaemonSet) *appsv1.DaemonSetStatus { return &d.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
