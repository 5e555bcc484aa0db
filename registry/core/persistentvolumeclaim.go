// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core"
	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/features"
	"github.com/stoa-project/stoa/registry/kind"
)

// PersistentVolumeClaims returns the kind PersistentVolumeClaim.
func PersistentVolumeClaims() kind.Kind {
	return kind.New(kind.Definition[core.PersistentVolumeClaim]{
		Kind: "PersistentVolumeClaim", Plural: "persistentvolumeclaims", ShortNames: []string{"pvc"},
		Spec:                kind.PartOf(func(p *core.PersistentVolumeClaim) *corev1.PersistentVolumeClaimSpec { return &p.Spec }),
		Status:              kind.PartOf(func(p *core.PersistentVolumeClaim) *corev1.PersistentVolumeClaimStatus { return &p.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next three
		NoGeneration:        true,
		UnconditionalUpdate: true,
		ReturnsDeleted:      true,
		Strategy: kind.Strategy[core.PersistentVolumeClaim]{
			Prepare: prepareClaim,
			Validate: func(_ context.Context, obj *core.PersistentVolumeClaim) field.ErrorList {
				return corevalidation.ValidatePersistentVolumeClaim((*corev1.PersistentVolumeClaim)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.PersistentVolumeClaim) field.ErrorList {
				return corevalidation.ValidatePersistentVolumeClaimUpdate((*corev1.PersistentVolumeClaim)(obj), (*corev1.PersistentVolumeClaim)(old))
			},
			PrepareStatus: func(_ context.Context, obj, old *core.PersistentVolumeClaim) {
				if old.Status.HealthStatus == nil && !features.Enabled(features.CSIVolumeHealth) {
					obj.Status.HealthStatus = nil
				}
			},
			ValidateStatus: func(_ context.Context, obj, _ *core.PersistentVolumeClaim) field.ErrorList {
				return corevalidation.ValidatePersistentVolumeClaimStatus((*corev1.PersistentVolumeClaim)(obj))
			},
			Warnings: func(_ context.Context, obj, _ *core.PersistentVolumeClaim) []string {
				return corevalidation.WarningsOnPersistentVolumeClaim((*corev1.PersistentVolumeClaim)(obj))
			},
		},
		Columns: claimColumns(),
	})
}

func prepareClaim(_ context.Context, obj, old *core.PersistentVolumeClaim) {
	if old == nil {
		obj.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}
		prepareDataSources(&obj.Spec, &corev1.PersistentVolumeClaimSpec{})
		return
	}
	prepareDataSources(&obj.Spec, &old.Spec)
}

// prepareDataSources makes the two fields for the same thing say the same, also for
// clients that know but one. The older field may only name what it was made for:
// anything else in it has always been dropped without a word.
func prepareDataSources(spec, old *corev1.PersistentVolumeClaimSpec) {
	ref := spec.DataSourceRef
	foreign := func() bool { return ref != nil && ref.Namespace != nil && *ref.Namespace != "" }
	if foreign() && old.DataSourceRef == nil && !features.Enabled(features.CrossNamespaceVolumeDataSource) {
		spec.DataSourceRef, ref = nil, nil
	}
	if src := spec.DataSource; ref == nil && old.DataSource == nil && old.DataSourceRef == nil && src != nil && !isClaimOrSnapshot(src) {
		spec.DataSource = nil
	}
	switch src := spec.DataSource; {
	case src != nil && ref == nil:
		spec.DataSourceRef = &corev1.TypedObjectReference{APIGroup: src.APIGroup, Kind: src.Kind, Name: src.Name}
	case src == nil && ref != nil && !foreign():
		spec.DataSource = &corev1.TypedLocalObjectReference{APIGroup: ref.APIGroup, Kind: ref.Kind, Name: ref.Name}
	}
}

func isClaimOrSnapshot(src *corev1.TypedLocalObjectReference) bool {
	group := ""
	if src.APIGroup != nil {
		group = *src.APIGroup
	}
	return group == "" && src.Kind == "PersistentVolumeClaim" || group == "snapshot.storage.k8s.io" && src.Kind == "VolumeSnapshot"
}

func claimColumns() []kind.Column[core.PersistentVolumeClaim] {
	spec, status := corev1.PersistentVolumeClaimSpec{}.SwaggerDoc(), corev1.PersistentVolumeClaimStatus{}.SwaggerDoc()
	return []kind.Column[core.PersistentVolumeClaim]{
		kind.Name[core.PersistentVolumeClaim](),
		{Name: "Status", Description: status["phase"],
			Value: func(p *core.PersistentVolumeClaim) any { return phase(p, string(p.Status.Phase)) }},
		{Name: "Volume", Description: spec["volumeName"],
			Value: func(p *core.PersistentVolumeClaim) any { return p.Spec.VolumeName }},
		{Name: "Capacity", Description: status["capacity"], Value: func(p *core.PersistentVolumeClaim) any {
			if p.Spec.VolumeName == "" {
				return ""
			}
			return p.Status.Capacity.Storage().String()
		}},
		{Name: "Access Modes", Description: status["accessModes"], Value: func(p *core.PersistentVolumeClaim) any {
			if p.Spec.VolumeName == "" {
				return ""
			}
			return accessModes(p.Status.AccessModes)
		}},
		{Name: "StorageClass", Description: spec["storageClassName"],
			Value: func(p *core.PersistentVolumeClaim) any { return storageClass(p, p.Spec.StorageClassName) }},
		{Name: "VolumeAttributesClass", Description: spec["volumeAttributesClassName"],
			Value: func(p *core.PersistentVolumeClaim) any { return orUnset(p.Spec.VolumeAttributesClassName) }},
		kind.Age[core.PersistentVolumeClaim](),
		{Name: "VolumeMode", Wide: true, Description: spec["volumeMode"],
			Value: func(p *core.PersistentVolumeClaim) any { return orUnset(p.Spec.VolumeMode) }},
	}
}
