// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// PodOptions loosens rules that older versions did not have, so that an object
// which broke them before they came can still be updated. Make one with
// PodSpecOptions or PodTemplateOptions; the zero value is the strictest.
type PodOptions struct {
	// IsPod is set for the spec of a pod and not for that of a template.
	IsPod bool
	// AllowNonLocalProjectedTokenPath lets a projected token have a path that
	// leaves the volume.
	AllowNonLocalProjectedTokenPath bool
	// AllowInvalidLabelValues lets the required node affinity have values that no
	// label can have.
	AllowInvalidLabelValues bool
	// AllowInvalidTopologySpreadSelector lets topology spread constraints have
	// label selectors that do not parse.
	AllowInvalidTopologySpreadSelector bool
}

// PodTemplateOptions returns the options for a template; old is nil on create.
func PodTemplateOptions(new, old *corev1.PodTemplateSpec) PodOptions {
	var newSpec, oldSpec *corev1.PodSpec
	var newMeta, oldMeta *metav1.ObjectMeta
	if new != nil {
		newSpec, newMeta = &new.Spec, &new.ObjectMeta
	}
	if old != nil {
		oldSpec, oldMeta = &old.Spec, &old.ObjectMeta
	}
	return PodSpecOptions(newSpec, oldSpec, newMeta, oldMeta)
}

// PodSpecOptions returns the options for a spec; old and oldMeta are nil on create.
func PodSpecOptions(new, old *corev1.PodSpec, newMeta, oldMeta *metav1.ObjectMeta) PodOptions {
	return PodOptions{}
}

// ValidatePodTemplateSpec judges the template of a workload.
func ValidatePodTemplateSpec(template *corev1.PodTemplateSpec, path *field.Path, opts PodOptions) field.ErrorList {
	return ValidatePodSpec(&template.Spec, nil, path.Child("spec"), opts)
}

// ValidatePodSpec judges the spec of a pod or template. meta is nil for a template.
func ValidatePodSpec(spec *corev1.PodSpec, meta *metav1.ObjectMeta, path *field.Path, opts PodOptions) field.ErrorList {
	return nil
}

// DropDisabledTemplateFields clears the fields of features that are switched off,
// unless old, which is nil on create, has them. Workload kinds call it in Prepare.
func DropDisabledTemplateFields(new, old *corev1.PodTemplateSpec) {
	var spec, oldSpec *corev1.PodSpec
	if new != nil {
		spec = &new.Spec
	}
	if old != nil {
		oldSpec = &old.Spec
	}
	DropDisabledPodFields(spec, oldSpec)
}

// DropDisabledPodFields does what DropDisabledTemplateFields does for a spec.
func DropDisabledPodFields(new, old *corev1.PodSpec) {}

// WarningsForPodTemplate returns the warnings for a template; old is nil on create.
func WarningsForPodTemplate(ctx context.Context, path *field.Path, new, old *corev1.PodTemplateSpec) []string {
	return nil
}

// ValidateNodeSelector judges a required node affinity.
func ValidateNodeSelector(sel *corev1.NodeSelector, allowInvalidLabelValues bool, path *field.Path) field.ErrorList {
	return nil
}

// ValidateResourceRequirements judges the resources of a container.
func ValidateResourceRequirements(requirements *corev1.ResourceRequirements, path *field.Path, opts PodOptions) field.ErrorList {
	return nil
}

// ValidateResourceQuantityValue judges the quantity of one resource.
func ValidateResourceQuantityValue(name corev1.ResourceName, value resource.Quantity, path *field.Path) field.ErrorList {
	return nil
}

// ValidateTolerations judges the tolerations of a pod or runtime class.
func ValidateTolerations(tolerations []corev1.Toleration, path *field.Path) field.ErrorList {
	return nil
}

// ValidateHostAliases judges what is added to the hosts file of a pod.
func ValidateHostAliases(aliases []corev1.HostAlias, path *field.Path) field.ErrorList { return nil }
