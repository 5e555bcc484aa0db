// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// PersistentVolumes returns the kind PersistentVolume.
func PersistentVolumes() kind.Kind {
	return kind.New(kind.Definition[core.PersistentVolume]{
		Kind: "PersistentVolume", Plural: "persistentvolumes", ShortNames: []string{"pv"},
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(p *core.PersistentVolume) *corev1.PersistentVolumeSpec { return &p.Spec }),
		Status:              kind.PartOf(func(p *core.PersistentVolume) *corev1.PersistentVolumeStatus { return &p.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
