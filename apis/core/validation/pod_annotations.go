// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

const (
	seccompPod       = corev1.SeccompPodAnnotationKey
	seccompContainer = corev1.SeccompContainerAnnotationKeyPrefix
	appArmor         = corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix
)

// validatePodAnnotations judges the annotations that mean something to Kubernetes.
func validatePodAnnotations(annotations map[string]string, spec *corev1.PodSpec, path *field.Path, opts PodOptions) field.ErrorList {
	var errs field.ErrorList
	if value, mirror := annotations[corev1.MirrorPodAnnotationKey]; mirror && spec.NodeName == "" {
		errs = append(errs, field.Invalid(path.Key(corev1.MirrorPodAnnotationKey), value, "must set spec.nodeName if mirror pod annotation is set"))
	}
	if text := annotations[corev1.TolerationsAnnotationKey]; text != "" {
		var tolerations []corev1.Toleration
		if err := json.Unmarshal([]byte(text), &tolerations); err != nil {
			errs = append(errs, field.Invalid(path, corev1.TolerationsAnnotationKey, err.Error()))
		}
		errs = append(errs, validateTolerations(tolerations, path.Child(corev1.TolerationsAnnotationKey), opts)...)
	}
	if !opts.AllowInvalidDeletionCost && !isDeletionCost(annotations) {
		errs = append(errs, field.Invalid(path.Key(corev1.PodDeletionCost), annotations[corev1.PodDeletionCost], "must be a 32bit integer"))
	}
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		value := annotations[key]
		if key == seccompPod || strings.HasPrefix(key, seccompContainer) {
			errs = append(errs, ValidateSeccompName(value, path.Child(key))...)
		}
		container, ok := strings.CutPrefix(key, appArmor)
		if !ok {
			continue
		}
		if !hasContainer(spec, container) {
			errs = append(errs, field.Invalid(path.Key(key), container, "container not found"))
		}
		if value != "" && appArmorProfile(value) == nil {
			errs = append(errs, field.Invalid(path.Key(key), value, fmt.Sprintf("invalid AppArmor profile name: %q", value)))
		}
	}
	return errs
}

func hasContainer(spec *corev1.PodSpec, name string) bool {
	found := false
	VisitContainers(spec, nil, func(c *corev1.Container, _ *field.Path) { found = found || c.Name == name })
	return found
}

// ValidateSeccompName judges the name of a profile in an annotation.
func ValidateSeccompName(name string, path *field.Path) field.ErrorList {
	switch name {
	case corev1.SeccompProfileRuntimeDefault, corev1.DeprecatedSeccompProfileDockerDefault, corev1.SeccompProfileNameUnconfined:
		return nil
	}
	if local, ok := strings.CutPrefix(name, corev1.SeccompLocalhostProfileNamePrefix); ok {
		return validateLocalPath(local, path)
	}
	return field.ErrorList{field.Invalid(path, name, "must be a valid seccomp profile")}
}

// appArmorProfile returns what the name in an annotation means, or nil.
func appArmorProfile(name string) *corev1.AppArmorProfile {
	switch name {
	case corev1.DeprecatedAppArmorBetaProfileNameUnconfined:
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
	case corev1.DeprecatedAppArmorBetaProfileRuntimeDefault:
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
	}
	if local, ok := strings.CutPrefix(name, corev1.DeprecatedAppArmorBetaProfileNamePrefix); ok {
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: &local}
	}
	return nil
}

// AppArmorOfAnnotation returns the profile that the annotation of a container asks
// for, and nil if there is none that would be valid as a field.
func AppArmorOfAnnotation(value string) *corev1.AppArmorProfile {
	profile := appArmorProfile(value)
	if profile != nil && len(validateAppArmor(profile, nil)) > 0 {
		return nil
	}
	return profile
}

// validateSeccompAnnotations demands that annotations and fields, where there are
// both, say the same.
func validateSeccompAnnotations(pod *corev1.Pod, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	check := func(key string, profile *corev1.SeccompProfile, path *field.Path) {
		value, ok := pod.Annotations[key]
		if !ok || profile == nil {
			return
		}
		want := map[corev1.SeccompProfileType][]string{
			corev1.SeccompProfileTypeUnconfined:     {corev1.SeccompProfileNameUnconfined},
			corev1.SeccompProfileTypeRuntimeDefault: {corev1.SeccompProfileRuntimeDefault, corev1.DeprecatedSeccompProfileDockerDefault},
		}
		if names, known := want[profile.Type]; known && !slices.Contains(names, value) {
			errs = append(errs, field.Forbidden(path.Child("type"), "seccomp type in annotation and field must match"))
		}
		if profile.Type != corev1.SeccompProfileTypeLocalhost {
			return
		}
		if value, ok = strings.CutPrefix(value, corev1.SeccompLocalhostProfileNamePrefix); !ok {
			errs = append(errs, field.Forbidden(path.Child("type"), "seccomp type in annotation and field must match"))
		} else if profile.LocalhostProfile == nil || *profile.LocalhostProfile != value {
			errs = append(errs, field.Forbidden(path.Child("localhostProfile"), "seccomp profile in annotation and field must match"))
		}
	}
	if pod.Spec.SecurityContext != nil {
		check(seccompPod, pod.Spec.SecurityContext.SeccompProfile, path.Child("securityContext", "seccompProfile"))
	}
	VisitContainers(&pod.Spec, path, func(c *corev1.Container, path *field.Path) {
		if c.SecurityContext != nil {
			check(seccompContainer+c.Name, c.SecurityContext.SeccompProfile, path.Child("securityContext", "seccompProfile"))
		}
	})
	return errs
}

// validateAppArmorAnnotations demands the same for AppArmor, which Windows has not.
func validateAppArmorAnnotations(pod *corev1.Pod, path *field.Path) field.ErrorList {
	if pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows {
		return nil
	}
	var errs field.ErrorList
	VisitContainers(&pod.Spec, path, func(c *corev1.Container, path *field.Path) {
		var profile *corev1.AppArmorProfile
		if pod.Spec.SecurityContext != nil {
			profile = pod.Spec.SecurityContext.AppArmorProfile
		}
		if c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil {
			profile = c.SecurityContext.AppArmorProfile
		}
		value, ok := pod.Annotations[appArmor+c.Name]
		if !ok || profile == nil {
			return
		}
		path = path.Child("securityContext", "appArmorProfile")
		switch annotated := appArmorProfile(value); {
		case profile.Type != corev1.AppArmorProfileTypeLocalhost && profile.Type != corev1.AppArmorProfileTypeRuntimeDefault &&
			profile.Type != corev1.AppArmorProfileTypeUnconfined:
		case annotated == nil || annotated.Type != profile.Type:
			errs = append(errs, field.Forbidden(path.Child("type"), "apparmor type in annotation and field must match"))
		case annotated.LocalhostProfile != nil && !ptr.Equal(annotated.LocalhostProfile, profile.LocalhostProfile):
			errs = append(errs, field.Forbidden(path.Child("localhostProfile"), "apparmor profile in annotation and field must match"))
		}
	})
	return errs
}

// validateAnnotationChanges refuses to turn a pod into the mirror of a static one, or
// back, and to confine it otherwise.
func validateAnnotationChanges(annotations, old map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	fixed := func(key, verb string) {
		if strings.HasPrefix(key, appArmor) {
			errs = append(errs, field.Forbidden(path.Key(key), "may not "+verb+" AppArmor annotations"))
		}
		if key == corev1.MirrorPodAnnotationKey {
			errs = append(errs, field.Forbidden(path.Key(key), "may not "+verb+" mirror pod annotation"))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(old)) {
		if value, ok := annotations[key]; !ok || value != old[key] {
			fixed(key, "remove or update")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		if _, ok := old[key]; !ok {
			fixed(key, "add")
		}
	}
	return errs
}
