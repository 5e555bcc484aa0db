// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

// statefulSetRules says which rules older versions did not have, so that a set
// that broke them before they came can still be updated.
type statefulSetRules struct {
	opts           corevalidation.PodOptions
	serviceName    bool
	podTemplate    bool
	claimTemplates bool
}

// ValidateStatefulSet judges a new stateful set.
func ValidateStatefulSet(obj *appsv1.StatefulSet) field.ErrorList {
	return validateStatefulSetSpec(&obj.Spec, statefulSetRules{
		opts:        corevalidation.PodTemplateOptions(&obj.Spec.Template, nil),
		serviceName: true, podTemplate: true, claimTemplates: true,
	})
}

// ValidateStatefulSetUpdate judges a changed stateful set.
func ValidateStatefulSetUpdate(obj, old *appsv1.StatefulSet) field.ErrorList {
	path := field.NewPath("spec")
	opts := corevalidation.PodTemplateOptions(&obj.Spec.Template, &old.Spec.Template)
	errs := validateStatefulSetSpec(&obj.Spec, statefulSetRules{
		opts:        opts,
		podTemplate: len(validateStatefulSetTemplate(&old.Spec, path.Child("template"), opts)) == 0,
	})
	immutable := func(value, old any, name string) {
		errs = append(errs, apivalidation.ValidateImmutableField(value, old, path.Child(name))...)
	}
	immutable(obj.Spec.ServiceName, old.Spec.ServiceName, "serviceName")
	immutable(obj.Spec.PodManagementPolicy, old.Spec.PodManagementPolicy, "podManagementPolicy")
	immutable(obj.Spec.Selector, old.Spec.Selector, "selector")
	if !apiequality.Semantic.DeepEqual(untyped(obj.Spec.VolumeClaimTemplates), untyped(old.Spec.VolumeClaimTemplates)) {
		errs = append(errs, field.Invalid(path.Child("volumeClaimTemplates"), untyped(obj.Spec.VolumeClaimTemplates), "field is immutable"))
	}
	return errs
}

// untyped drops the kinds and versions that claims repeat and that say nothing.
func untyped(claims []corev1.PersistentVolumeClaim) []corev1.PersistentVolumeClaim {
	out := append([]corev1.PersistentVolumeClaim{}, claims...)
	for i := range out {
		out[i].TypeMeta = metav1.TypeMeta{}
	}
	return out
}

func validateStatefulSetSpec(spec *appsv1.StatefulSetSpec, rules statefulSetRules) field.ErrorList {
	path := field.NewPath("spec")
	var errs field.ErrorList
	switch spec.PodManagementPolicy {
	case "":
		errs = append(errs, field.Required(path.Child("podManagementPolicy"), ""))
	case appsv1.OrderedReadyPodManagement, appsv1.ParallelPodManagement:
	default:
		errs = append(errs, field.Invalid(path.Child("podManagementPolicy"), spec.PodManagementPolicy, "must be 'OrderedReady' or 'Parallel'"))
	}
	errs = append(errs, validateStatefulSetStrategy(&spec.UpdateStrategy, path.Child("updateStrategy"))...)
	errs = append(errs, validateClaimRetention(spec.PersistentVolumeClaimRetentionPolicy, path.Child("persistentVolumeClaimRetentionPolicy"))...)
	if rules.claimTemplates {
		for i := range spec.VolumeClaimTemplates {
			errs = append(errs, corevalidation.ValidatePersistentVolumeClaimSpec(&spec.VolumeClaimTemplates[i].Spec, path.Child("volumeClaimTemplates").Index(i).Child("spec"), corevalidation.ClaimOptions{})...)
		}
	}
	errs = append(errs, validateCounts(path, optionalCount("replicas", spec.Replicas), count{"minReadySeconds", int64(spec.MinReadySeconds)})...)
	if spec.Ordinals != nil {
		errs = append(errs, validateCounts(path.Child("ordinals"), count{"start", int64(spec.Ordinals.Start)})...)
	}
	errs = append(errs, validateSelector(spec.Selector, "statefulset", path.Child("selector"))...)
	if rules.serviceName && spec.ServiceName != "" {
		errs = append(errs, fielderrors.Each(path.Child("serviceName"), spec.ServiceName, apivalidation.NameIsDNSLabel(spec.ServiceName, false))...)
	}
	parsed, err := metav1.LabelSelectorAsSelector(spec.Selector)
	if err != nil {
		return append(errs, field.Invalid(path.Child("selector"), spec.Selector, ""))
	}
	if !parsed.Empty() {
		errs = append(errs, validateSelected(parsed, &spec.Template, path.Child("template"))...)
	}
	if rules.podTemplate {
		errs = append(errs, validateStatefulSetTemplate(spec, path.Child("template"), rules.opts)...)
	}
	return append(errs, validateEndless(&spec.Template.Spec, "StatefulSet", path.Child("template", "spec"))...)
}

// validateStatefulSetTemplate judges the template with the volumes that its pods
// get for the claims; they come first and hide those of the same name.
func validateStatefulSetTemplate(spec *appsv1.StatefulSetSpec, path *field.Path, opts corevalidation.PodOptions) field.ErrorList {
	template := spec.Template.DeepCopy()
	template.Spec.Volumes = nil
	seen := map[string]bool{}
	for i := range spec.VolumeClaimTemplates {
		name := spec.VolumeClaimTemplates[i].Name
		if seen[name] {
			continue
		}
		seen[name] = true
		template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
		}})
	}
	for _, volume := range spec.Template.Spec.Volumes {
		if !seen[volume.Name] {
			template.Spec.Volumes = append(template.Spec.Volumes, volume)
		}
	}
	return corevalidation.ValidatePodTemplateSpec(template, path, opts)
}

func validateStatefulSetStrategy(strategy *appsv1.StatefulSetUpdateStrategy, path *field.Path) field.ErrorList {
	rolling := path.Child("rollingUpdate")
	switch strategy.Type {
	case "":
		return field.ErrorList{field.Required(path, "")}
	case appsv1.OnDeleteStatefulSetStrategyType:
		if strategy.RollingUpdate != nil {
			return field.ErrorList{field.Invalid(rolling, strategy.RollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")}
		}
		return nil
	case appsv1.RollingUpdateStatefulSetStrategyType:
	default:
		return field.ErrorList{field.Invalid(path, *strategy, "must be 'RollingUpdate' or 'OnDelete'")}
	}
	if strategy.RollingUpdate == nil {
		return nil
	}
	errs := validateCounts(rolling, optionalCount("partition", strategy.RollingUpdate.Partition))
	if strategy.RollingUpdate.MaxUnavailable == nil {
		return errs
	}
	path, unavailable := rolling.Child("maxUnavailable"), percentage{strategy.RollingUpdate.MaxUnavailable}
	errs = append(errs, unavailable.validate(path)...)
	if unavailable.zero() {
		errs = append(errs, field.Invalid(path, unavailable.value(), "cannot be 0"))
	}
	return append(errs, unavailable.validateNotMoreThanAll(path)...)
}

func validateClaimRetention(policy *appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy, path *field.Path) field.ErrorList {
	if policy == nil {
		return nil
	}
	const retain, remove = appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	return append(fielderrors.OneOf(path.Child("whenDeleted"), policy.WhenDeleted, retain, remove),
		fielderrors.OneOf(path.Child("whenScaled"), policy.WhenScaled, retain, remove)...)
}

// ValidateStatefulSetStatus judges a changed status.
func ValidateStatefulSetStatus(obj, old *appsv1.StatefulSet) field.ErrorList {
	path, s := field.NewPath("status"), obj.Status
	ready, current := count{"readyReplicas", int64(s.ReadyReplicas)}, count{"currentReplicas", int64(s.CurrentReplicas)}
	updated, available := count{"updatedReplicas", int64(s.UpdatedReplicas)}, count{"availableReplicas", int64(s.AvailableReplicas)}
	errs := validateCounts(path, count{"replicas", int64(s.Replicas)}, ready, current, updated, available,
		count{"observedGeneration", s.ObservedGeneration}, optionalCount("collisionCount", s.CollisionCount))
	errs = append(errs, atMost(path, s.Replicas, "status.replicas", ready, current, updated, available)...)
	errs = append(errs, atMost(path, s.ReadyReplicas, "status.readyReplicas", available)...)
	return append(errs, validateCollisions(path, s.CollisionCount, old.Status.CollisionCount)...)
}
