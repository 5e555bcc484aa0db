// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// ValidateReplicationController judges a new replication controller.
func ValidateReplicationController(obj *corev1.ReplicationController) field.ErrorList {
	return validateReplicationControllerSpec(&obj.Spec, PodTemplateOptions(obj.Spec.Template, nil))
}

// ValidateReplicationControllerUpdate judges a changed replication controller.
func ValidateReplicationControllerUpdate(obj, old *corev1.ReplicationController) field.ErrorList {
	return validateReplicationControllerSpec(&obj.Spec, PodTemplateOptions(obj.Spec.Template, old.Spec.Template))
}

func validateReplicationControllerSpec(spec *corev1.ReplicationControllerSpec, opts PodOptions) field.ErrorList {
	path := field.NewPath("spec")
	// The tags of the served type say so too.
	errs := apivalidation.ValidateNonnegativeField(int64(spec.MinReadySeconds), path.Child("minReadySeconds")).MarkCoveredByDeclarative().MarkBeta()
	selector := labels.Set(spec.Selector).AsSelectorPreValidated()
	if selector.Empty() {
		errs = append(errs, field.Required(path.Child("selector"), ""))
	}
	errs = append(errs, apivalidation.ValidateNonnegativeField(int64(ptr.Deref(spec.Replicas, 0)), path.Child("replicas")).MarkCoveredByDeclarative().MarkBeta()...)
	path = path.Child("template")
	if spec.Template == nil {
		return append(errs, field.Required(path, ""))
	}
	if !selector.Matches(labels.Set(spec.Template.Labels)) {
		errs = append(errs, field.Invalid(path.Child("metadata", "labels"), spec.Template.Labels, "`selector` does not match template `labels`"))
	}
	errs = append(errs, ValidatePodTemplateSpec(spec.Template, path, opts)...)
	if policy := spec.Template.Spec.RestartPolicy; policy != corev1.RestartPolicyAlways {
		errs = append(errs, field.NotSupported(path.Child("spec", "restartPolicy"), policy, []corev1.RestartPolicy{corev1.RestartPolicyAlways}))
	}
	if spec.Template.Spec.ActiveDeadlineSeconds != nil {
		errs = append(errs, field.Forbidden(path.Child("spec", "activeDeadlineSeconds"), "activeDeadlineSeconds in ReplicationController is not Supported"))
	}
	return errs
}

// ValidateReplicationControllerStatus judges a changed status.
func ValidateReplicationControllerStatus(obj *corev1.ReplicationController) field.ErrorList {
	path, s := field.NewPath("status"), obj.Status
	type count struct {
		name  string
		value int32
	}
	parts := []count{{"fullyLabeledReplicas", s.FullyLabeledReplicas}, {"readyReplicas", s.ReadyReplicas}, {"availableReplicas", s.AvailableReplicas}}
	var errs field.ErrorList
	for _, c := range append([]count{{"replicas", s.Replicas}}, parts...) {
		errs = append(errs, apivalidation.ValidateNonnegativeField(int64(c.value), path.Child(c.name))...)
	}
	errs = append(errs, apivalidation.ValidateNonnegativeField(s.ObservedGeneration, path.Child("observedGeneration"))...)
	for _, c := range parts {
		if c.value > s.Replicas {
			errs = append(errs, field.Invalid(path.Child(c.name), c.value, "cannot be greater than status.replicas"))
		}
	}
	if s.AvailableReplicas > s.ReadyReplicas {
		errs = append(errs, field.Invalid(path.Child("availableReplicas"), s.AvailableReplicas, "cannot be greater than readyReplicas"))
	}
	return errs
}

// WarningsOnReplicationController returns what is unwise but no error; old is nil on create.
func WarningsOnReplicationController(obj, old *corev1.ReplicationController) []string {
	path := field.NewPath("spec", "template")
	switch {
	case old == nil:
		return append(WarningsForPodOwner(obj.Name), WarningsForPodTemplate(path, obj.Spec.Template)...)
	case obj.Generation != old.Generation:
		// An update is warned of what the template was before it, as in Kubernetes.
		return WarningsForPodTemplate(path, old.Spec.Template)
	}
	return nil
}
