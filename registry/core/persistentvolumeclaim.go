// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// PersistentVolumeClaims returns the kind PersistentVolumeClaim.
func PersistentVolumeClaims() kind.Kind {
	return kind.New(kind.Definition[core.PersistentVolumeClaim]{
		Kind: "PersistentVolumeClaim", Plural: "persistentvolumeclaims", ShortNames: []string{"pvc"},
		Spec:                kind.PartOf(func(p *core.PersistentVolumeClaim) *corev1.PersistentVolumeClaimSpec { return &p.Spec }),
		Status:              kind.PartOf(func(p *core.PersistentVolumeClaim) *corev1.PersistentVolumeClaimStatus { return &p.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
