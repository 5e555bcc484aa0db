// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidateInlineVolumeSpec judges the spec of a persistent volume that is none, but
// describes to an attacher what was written into a pod.
func ValidateInlineVolumeSpec(spec *corev1.PersistentVolumeSpec, path *field.Path) field.ErrorList {
	const inline = " in the context of inline volumes"
	var errs field.ErrorList
	forbid := func(name string, set bool, why string) {
		if set {
			errs = append(errs, field.Forbidden(path.Child(name), why+inline))
		}
	}
	forbid("claimRef", spec.ClaimRef != nil, "may not be specified")
	forbid("capacity", len(spec.Capacity) != 0, "may not be specified")
	if spec.CSI == nil {
		errs = append(errs, field.Required(path.Child("csi"), "has to be specified"+inline))
	}
	if len(spec.AccessModes) == 0 {
		errs = append(errs, field.Required(path.Child("accessModes"), ""))
	}
	errs = append(errs, validateAccessModes(spec.AccessModes, path.Child("accessModes"))...)
	policy := spec.PersistentVolumeReclaimPolicy
	forbid("persistentVolumeReclaimPolicy", policy != "" && policy != corev1.PersistentVolumeReclaimRetain, "may only be Retain")
	forbid("nodeAffinity", spec.NodeAffinity != nil, "may not be specified")
	errs = append(errs, validateOneSource(persistentSources(spec, "", path), path)...)
	forbid("storageClassName", spec.StorageClassName != "", "may not be specified")
	forbid("volumeMode", spec.VolumeMode != nil && *spec.VolumeMode != corev1.PersistentVolumeFilesystem, "may not specify volumeMode other than Filesystem")
	return append(errs, validateAttributesClass(spec, path)...)
}
