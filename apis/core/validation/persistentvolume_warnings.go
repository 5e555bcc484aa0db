// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// betaMountOptions is where options of mounts were before they had a field.
const betaMountOptions = "volume.beta.kubernetes.io/mount-options"

// WarningsOnPersistentVolume names what of a volume is not to be used any more.
func WarningsOnPersistentVolume(obj *corev1.PersistentVolume) []string {
	out := annotationWarnings(obj.Annotations)
	spec := &obj.Spec
	if spec.NodeAffinity != nil && spec.NodeAffinity.Required != nil {
		terms := field.NewPath("spec", "nodeAffinity", "required", "nodeSelectorTerms")
		for i, term := range spec.NodeAffinity.Required.NodeSelectorTerms {
			out = append(out, WarningsForNodeSelectorTerm(term, terms.Index(i), false)...)
		}
	}
	if spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle {
		out = append(out, "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.")
	}
	out = append(out, fractionWarning(spec.Capacity, field.NewPath("spec", "capacity"))...)
	for _, source := range []struct {
		used bool
		text string
	}{
		{spec.CephFS != nil, "spec.cephfs: deprecated in v1.28, non-functional in v1.31+"},
		{spec.PhotonPersistentDisk != nil, "spec.photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+"},
		{spec.RBD != nil, "spec.rbd: deprecated in v1.28, non-functional in v1.31+"},
		{spec.ScaleIO != nil, "spec.scaleIO: deprecated in v1.16, non-functional in v1.22+"},
		{spec.StorageOS != nil, "spec.storageOS: deprecated in v1.22, non-functional in v1.25+"},
		{spec.Glusterfs != nil, "spec.glusterfs: deprecated in v1.25, non-functional in v1.26+"},
	} {
		if source.used {
			out = append(out, source.text)
		}
	}
	return out
}

// WarningsOnPersistentVolumeClaim does the same for a claim.
func WarningsOnPersistentVolumeClaim(obj *corev1.PersistentVolumeClaim) []string {
	var out []string
	if _, ok := obj.Annotations[corev1.BetaStorageClassAnnotation]; ok {
		out = annotationWarnings(map[string]string{corev1.BetaStorageClassAnnotation: ""})
	}
	return append(out, WarningsOnClaimSpec(&obj.Spec, field.NewPath("spec"))...)
}

// WarningsOnClaimSpec says when a claim, or a template of claims, asks for parts of
// bytes.
func WarningsOnClaimSpec(spec *corev1.PersistentVolumeClaimSpec, path *field.Path) []string {
	out := fractionWarning(spec.Resources.Requests, path.Child("resources", "requests"))
	return append(out, fractionWarning(spec.Resources.Limits, path.Child("resources", "limits"))...)
}

func annotationWarnings(annotations map[string]string) []string {
	var out []string
	for _, old := range [][2]string{
		{corev1.BetaStorageClassAnnotation, `deprecated since v1.8; use "storageClassName" attribute instead`},
		{betaMountOptions, `deprecated since v1.31; use "mountOptions" attribute instead`},
	} {
		if _, ok := annotations[old[0]]; ok {
			out = append(out, fmt.Sprintf("%s: %s", field.NewPath("metadata", "annotations").Key(old[0]), old[1]))
		}
	}
	return out
}

func fractionWarning(list corev1.ResourceList, path *field.Path) []string {
	size := list[corev1.ResourceStorage]
	if size.MilliValue()%1000 == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: fractional byte value %q is invalid, must be an integer", path.Key(string(corev1.ResourceStorage)), size.String())}
}
