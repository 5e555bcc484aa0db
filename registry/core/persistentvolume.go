// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core"
	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// PersistentVolumes returns the kind PersistentVolume.
func PersistentVolumes() kind.Kind {
	return kind.New(kind.Definition[core.PersistentVolume]{
		Kind: "PersistentVolume", Plural: "persistentvolumes", ShortNames: []string{"pv"},
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(p *core.PersistentVolume) *corev1.PersistentVolumeSpec { return &p.Spec }),
		Status:              kind.PartOf(func(p *core.PersistentVolume) *corev1.PersistentVolumeStatus { return &p.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next three
		NoGeneration:        true,
		UnconditionalUpdate: true,
		ReturnsDeleted:      true,
		Strategy: kind.Strategy[core.PersistentVolume]{
			Prepare: prepareVolume,
			Validate: func(_ context.Context, obj *core.PersistentVolume) field.ErrorList {
				return corevalidation.ValidatePersistentVolume((*corev1.PersistentVolume)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.PersistentVolume) field.ErrorList {
				return corevalidation.ValidatePersistentVolumeUpdate((*corev1.PersistentVolume)(obj), (*corev1.PersistentVolume)(old))
			},
			PrepareStatus: notePhaseChange,
			ValidateStatus: func(_ context.Context, obj, _ *core.PersistentVolume) field.ErrorList {
				return corevalidation.ValidatePersistentVolumeStatus((*corev1.PersistentVolume)(obj))
			},
			Warnings: func(_ context.Context, obj, _ *core.PersistentVolume) []string {
				return corevalidation.WarningsOnPersistentVolume((*corev1.PersistentVolume)(obj))
			},
		},
		Columns: volumeColumns(),
	})
}

// prepareVolume starts the clock of the phase of a new volume.
func prepareVolume(_ context.Context, obj, old *core.PersistentVolume) {
	if old == nil {
		now := metav1.Now()
		obj.Status = corev1.PersistentVolumeStatus{Phase: corev1.VolumePending, LastPhaseTransitionTime: &now}
	}
}

// notePhaseChange keeps the time of the last change of the phase, unless the writer
// knows it better.
func notePhaseChange(_ context.Context, obj, old *core.PersistentVolume) {
	status, was := &obj.Status, &old.Status
	switch {
	case status.Phase == was.Phase:
		if status.LastPhaseTransitionTime == nil {
			status.LastPhaseTransitionTime = was.LastPhaseTransitionTime
		}
	case status.LastPhaseTransitionTime == nil, status.LastPhaseTransitionTime.Equal(was.LastPhaseTransitionTime):
		now := metav1.Now()
		status.LastPhaseTransitionTime = &now
	}
}

func volumeColumns() []kind.Column[core.PersistentVolume] {
	spec, status := corev1.PersistentVolumeSpec{}.SwaggerDoc(), corev1.PersistentVolumeStatus{}.SwaggerDoc()
	return []kind.Column[core.PersistentVolume]{
		kind.Name[core.PersistentVolume](),
		{Name: "Capacity", Description: spec["capacity"],
			Value: func(p *core.PersistentVolume) any { return p.Spec.Capacity.Storage().String() }},
		{Name: "Access Modes", Description: spec["accessModes"],
			Value: func(p *core.PersistentVolume) any { return accessModes(p.Spec.AccessModes) }},
		{Name: "Reclaim Policy", Description: spec["persistentVolumeReclaimPolicy"],
			Value: func(p *core.PersistentVolume) any { return string(p.Spec.PersistentVolumeReclaimPolicy) }},
		{Name: "Status", Description: status["phase"],
			Value: func(p *core.PersistentVolume) any { return phase(p, string(p.Status.Phase)) }},
		{Name: "Claim", Description: spec["claimRef"], Value: func(p *core.PersistentVolume) any {
			if p.Spec.ClaimRef == nil {
				return ""
			}
			return p.Spec.ClaimRef.Namespace + "/" + p.Spec.ClaimRef.Name
		}},
		{Name: "StorageClass", Description: spec["storageClassName"],
			Value: func(p *core.PersistentVolume) any { return storageClass(p, &p.Spec.StorageClassName) }},
		{Name: "VolumeAttributesClass", Description: spec["volumeAttributesClassName"],
			Value: func(p *core.PersistentVolume) any { return orUnset(p.Spec.VolumeAttributesClassName) }},
		{Name: "Reason", Description: status["reason"],
			Value: func(p *core.PersistentVolume) any { return p.Status.Reason }},
		kind.Age[core.PersistentVolume](),
		{Name: "VolumeMode", Wide: true, Description: spec["volumeMode"],
			Value: func(p *core.PersistentVolume) any { return orUnset(p.Spec.VolumeMode) }},
	}
}

// accessModes abbreviates modes, each once and in the order in which they are known.
func accessModes(modes []corev1.PersistentVolumeAccessMode) string {
	var out []string
	for _, mode := range []struct {
		mode  corev1.PersistentVolumeAccessMode
		short string
	}{
		{corev1.ReadWriteOnce, "RWO"}, {corev1.ReadOnlyMany, "ROX"}, {corev1.ReadWriteMany, "RWX"}, {corev1.ReadWriteOncePod, "RWOP"},
	} {
		if slices.Contains(modes, mode.mode) {
			out = append(out, mode.short)
		}
	}
	return strings.Join(out, ",")
}

func phase(obj metav1.Object, phase string) string {
	if obj.GetDeletionTimestamp() != nil {
		return "Terminating"
	}
	return phase
}

// storageClass is the class that obj names in a field or, of old, in an annotation.
func storageClass(obj metav1.Object, field *string) string {
	if class, ok := obj.GetAnnotations()[corev1.BetaStorageClassAnnotation]; ok {
		return class
	}
	if field == nil {
		return ""
	}
	return *field
}

func orUnset[S ~string](value *S) string {
	if value == nil {
		return "<unset>"
	}
	return string(*value)
}
