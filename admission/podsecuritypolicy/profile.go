// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package podsecuritypolicy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	policyv1beta1 "github.com/stoa-project/stoa/apis/policy/v1beta1"
)

// Policies name profiles as annotations of pods did, before there were fields. A pod
// has the field from here, because nodes do not read the annotation any more.

// seccompName is a profile as annotations have it, or "".
func seccompName(p *corev1.SeccompProfile) string {
	switch {
	case p == nil:
		return ""
	case p.Type == corev1.SeccompProfileTypeUnconfined:
		return corev1.SeccompProfileNameUnconfined
	case p.Type == corev1.SeccompProfileTypeRuntimeDefault:
		return corev1.SeccompProfileRuntimeDefault
	case p.LocalhostProfile != nil:
		return corev1.SeccompLocalhostProfileNamePrefix + *p.LocalhostProfile
	}
	return ""
}

// seccompField is the profile that a name stands for, or nil.
func seccompField(name string) *corev1.SeccompProfile {
	switch name {
	case corev1.SeccompProfileNameUnconfined:
		return &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
	case corev1.SeccompProfileRuntimeDefault, corev1.DeprecatedSeccompProfileDockerDefault:
		return &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	if local, ok := strings.CutPrefix(name, corev1.SeccompLocalhostProfileNamePrefix); ok {
		return &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: &local}
	}
	return nil
}

// currentSeccomp is the name that a profile has now.
func currentSeccomp(name string) string {
	if name == corev1.DeprecatedSeccompProfileDockerDefault {
		return corev1.SeccompProfileRuntimeDefault
	}
	return name
}

func podSeccomp(pod *corev1.Pod) string {
	annotation := pod.Annotations[corev1.SeccompPodAnnotationKey]
	if pod.Spec.SecurityContext == nil {
		return annotation
	}
	return cmp.Or(seccompName(pod.Spec.SecurityContext.SeccompProfile), annotation)
}

// setPodSeccomp sets the default for the pod; containers inherit it.
func setPodSeccomp(s *subject) {
	name := cmp.Or(podSeccomp(s.pod), s.policy.Annotations[policyv1beta1.SeccompDefaultProfile])
	if name == "" {
		return
	}
	if s.pod.Annotations[corev1.SeccompPodAnnotationKey] == "" {
		annotate(s.pod, corev1.SeccompPodAnnotationKey, name)
	}
	if s.of().SeccompProfile == nil {
		s.context().SeccompProfile = seccompField(name)
	}
}

func setSeccomp(s *subject) {
	if name := s.pod.Annotations[corev1.SeccompContainerAnnotationKeyPrefix+s.container.Name]; name != "" && s.own().SeccompProfile == nil {
		s.ownContext().SeccompProfile = seccompField(name)
	}
}

// checkSeccomp judges the profile that an annotation has, or would have.
func (s *subject) checkSeccomp(annotation, name string) field.ErrorList {
	path := field.NewPath("pod", "metadata", "annotations").Key(annotation)
	value, set := s.policy.Annotations[policyv1beta1.SeccompAllowedProfiles]
	allows := func(pattern string) bool {
		return pattern == policyv1beta1.All || set && currentSeccomp(pattern) == currentSeccomp(name)
	}
	switch {
	case slices.ContainsFunc(strings.Split(value, ","), allows), !set && name == "":
		return nil
	case !set:
		return field.ErrorList{field.Forbidden(path, "seccomp may not be set")}
	}
	return field.ErrorList{field.Forbidden(path, fmt.Sprintf("%s is not an allowed seccomp profile. Valid values are %v", name, value))}
}

// appArmorName is the profile of a container as annotations have it, or "".
func appArmorName(s *subject) string {
	switch p := cmp.Or(s.own().AppArmorProfile, s.of().AppArmorProfile); {
	case p == nil:
		return s.pod.Annotations[corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+s.container.Name]
	case p.Type == corev1.AppArmorProfileTypeUnconfined:
		return corev1.DeprecatedAppArmorBetaProfileNameUnconfined
	case p.Type == corev1.AppArmorProfileTypeRuntimeDefault:
		return corev1.DeprecatedAppArmorBetaProfileRuntimeDefault
	case p.LocalhostProfile != nil:
		return corev1.DeprecatedAppArmorBetaProfileNamePrefix + *p.LocalhostProfile
	}
	return ""
}

func setAppArmor(s *subject) {
	if name := s.policy.Annotations[policyv1beta1.AppArmorDefaultProfile]; name != "" && appArmorName(s) == "" {
		annotate(s.pod, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+s.container.Name, name)
		s.ownContext().AppArmorProfile = corevalidation.AppArmorOfAnnotation(name)
	}
}

func checkAppArmor(s *subject) field.ErrorList {
	allowed, restricted := s.policy.Annotations[policyv1beta1.AppArmorAllowedProfiles]
	name := appArmorName(s)
	if !restricted || name != "" && slices.Contains(strings.Split(allowed, ","), name) {
		return nil
	}
	path := field.NewPath("pod", "metadata", "annotations").Key(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + s.container.Name)
	if name == "" {
		return field.ErrorList{field.Forbidden(path, "AppArmor profile must be set")}
	}
	return field.ErrorList{field.Forbidden(path, fmt.Sprintf("%s is not an allowed profile. Allowed values: %q", name, allowed))}
}
