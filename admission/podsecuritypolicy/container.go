// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package podsecuritypolicy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	policyv1beta1 "github.com/stoa-project/stoa/apis/policy/v1beta1"
)

// containerRules are what policies say of each container, in the order of the errors.
//
//nolint:gochecknoglobals // constant
var containerRules = []rule{
	{set: setUser, check: checkUser},
	{set: setGroup, check: func(s *subject) field.ErrorList {
		return checkGroups(s.at(), runAsGroup(s.spec), one(cmp.Or(s.own().RunAsGroup, s.of().RunAsGroup)))
	}},
	{check: func(s *subject) field.ErrorList {
		return s.checkSELinux(s.at(), cmp.Or(s.own().SELinuxOptions, s.of().SELinuxOptions))
	}},
	{set: setAppArmor, check: checkAppArmor},
	{set: setSeccomp, check: func(s *subject) field.ErrorList {
		key := corev1.SeccompContainerAnnotationKeyPrefix + s.container.Name
		return s.checkSeccomp(key, cmp.Or(seccompName(s.own().SeccompProfile), s.pod.Annotations[key], podSeccomp(s.pod)))
	}},
	{check: func(s *subject) field.ErrorList {
		return s.refuse(!s.spec.Privileged && ptr.Deref(s.own().Privileged, false), "privileged", true, "Privileged containers are not allowed")
	}},
	{check: checkProcMount},
	{set: setCapabilities, check: checkCapabilities},
	{check: checkHostPorts},
	{set: setReadOnly, check: checkReadOnly},
	{set: setEscalation, check: func(s *subject) field.ErrorList {
		got := s.own().AllowPrivilegeEscalation
		return s.refuse(!ptr.Deref(s.spec.AllowPrivilegeEscalation, true) && ptr.Deref(got, true),
			"allowPrivilegeEscalation", got, "Allowing privilege escalation for containers is not allowed")
	}},
}

// own returns the security context of the container, to read.
func (s *subject) own() corev1.SecurityContext {
	return ptr.Deref(s.container.SecurityContext, corev1.SecurityContext{})
}

// ownContext returns it to write.
func (s *subject) ownContext() *corev1.SecurityContext {
	if s.container.SecurityContext == nil {
		s.container.SecurityContext = &corev1.SecurityContext{}
	}
	return s.container.SecurityContext
}

// at is the path of the security context of the container.
func (s *subject) at() *field.Path { return s.path.Child("securityContext") }

// refuse returns an error for a field of the security context if something is wrong.
func (s *subject) refuse(wrong bool, name string, value any, text string) field.ErrorList {
	if !wrong {
		return nil
	}
	return field.ErrorList{field.Invalid(s.at().Child(name), value, text)}
}

// user is who the container runs as, and whether that must not be root.
func (s *subject) user() (id *int64, nonRoot *bool) {
	return cmp.Or(s.own().RunAsUser, s.of().RunAsUser), cmp.Or(s.own().RunAsNonRoot, s.of().RunAsNonRoot)
}

func setUser(s *subject) {
	id, nonRoot := s.user()
	switch s.spec.RunAsUser.Rule {
	case policyv1beta1.MustRunAs:
		if id == nil {
			s.ownContext().RunAsUser = new(s.spec.RunAsUser.Ranges[0].Min)
		}
	case policyv1beta1.MustRunAsNonRoot: // the kubelet looks into the image
		if id == nil && nonRoot == nil {
			s.ownContext().RunAsNonRoot = new(true)
		}
	}
}

func checkUser(s *subject) field.ErrorList {
	id, nonRoot := s.user()
	switch s.spec.RunAsUser.Rule {
	case policyv1beta1.MustRunAs:
		return s.refuse(!inRanges(*id, s.spec.RunAsUser.Ranges), "runAsUser", *id, fmt.Sprintf("must be in the ranges: %v", s.spec.RunAsUser.Ranges))
	case policyv1beta1.MustRunAsNonRoot:
		if !ptr.Deref(nonRoot, true) {
			return s.refuse(true, "runAsNonRoot", false, "must be true")
		}
		return s.refuse(id != nil && *id == 0, "runAsUser", 0, "running with the root UID is forbidden")
	}
	return nil
}

// runAsGroup is the rule for groups, which came later than the others.
func runAsGroup(spec *policyv1beta1.PodSecurityPolicySpec) ids {
	return ids(ptr.Deref(spec.RunAsGroup, policyv1beta1.RunAsGroupStrategyOptions{Rule: policyv1beta1.RunAsAny}))
}

func setGroup(s *subject) {
	if want := runAsGroup(s.spec); want.Rule == policyv1beta1.MustRunAs && cmp.Or(s.own().RunAsGroup, s.of().RunAsGroup) == nil {
		s.ownContext().RunAsGroup = new(want.Ranges[0].Min)
	}
}

func checkProcMount(s *subject) field.ErrorList {
	allowed := s.spec.AllowedProcMountTypes
	if len(allowed) == 0 {
		allowed = []corev1.ProcMountType{corev1.DefaultProcMount}
	}
	got := ptr.Deref(s.own().ProcMount, corev1.DefaultProcMount)
	return s.refuse(!slices.Contains(allowed, got), "procMount", got, "ProcMountType is not allowed")
}

// setCapabilities leaves those alone that need no change.
func setCapabilities(s *subject) {
	own := ptr.Deref(s.own().Capabilities, corev1.Capabilities{})
	add, drop := sets.New(own.Add...), sets.New(own.Drop...)
	allAdd := add.Union(sets.New(s.spec.DefaultAddCapabilities...).Difference(drop))
	allDrop := drop.Union(sets.New(s.spec.RequiredDropCapabilities...))
	if len(allAdd) == len(add) && len(allDrop) == len(drop) {
		return
	}
	list := func(set sets.Set[corev1.Capability]) []corev1.Capability {
		if len(set) == 0 {
			return nil
		}
		return sets.List(set)
	}
	s.ownContext().Capabilities = &corev1.Capabilities{Add: list(allAdd), Drop: list(allDrop)}
}

func checkCapabilities(s *subject) field.ErrorList {
	if slices.Contains(s.spec.AllowedCapabilities, policyv1beta1.All) {
		return nil
	}
	var errs field.ErrorList
	own, path := ptr.Deref(s.own().Capabilities, corev1.Capabilities{}), s.at().Child("capabilities")
	for _, c := range own.Add {
		if !slices.Contains(s.spec.DefaultAddCapabilities, c) && !slices.Contains(s.spec.AllowedCapabilities, c) {
			errs = append(errs, field.Invalid(path.Child("add"), string(c), "capability may not be added"))
		}
	}
	return errs
}

func checkHostPorts(s *subject) field.ErrorList {
	var errs field.ErrorList
	for _, p := range s.container.Ports {
		if p.HostPort == 0 || slices.ContainsFunc(s.spec.HostPorts, func(r policyv1beta1.HostPortRange) bool { return r.Min <= p.HostPort && p.HostPort <= r.Max }) {
			continue
		}
		allowed := make([]string, len(s.spec.HostPorts))
		for i, r := range s.spec.HostPorts {
			allowed[i] = fmt.Sprint(r.Min)
			if r.Min != r.Max {
				allowed[i] += fmt.Sprint("-", r.Max)
			}
		}
		errs = append(errs, field.Invalid(s.path.Child("hostPort"), p.HostPort,
			fmt.Sprintf("Host port %d is not allowed to be used. Allowed ports: [%s]", p.HostPort, strings.Join(allowed, ","))))
	}
	return errs
}

func setReadOnly(s *subject) {
	if s.spec.ReadOnlyRootFilesystem && s.own().ReadOnlyRootFilesystem == nil {
		s.ownContext().ReadOnlyRootFilesystem = new(true)
	}
}

func checkReadOnly(s *subject) field.ErrorList {
	return s.refuse(s.spec.ReadOnlyRootFilesystem && !*s.own().ReadOnlyRootFilesystem,
		"readOnlyRootFilesystem", false, "ReadOnlyRootFilesystem must be set to true")
}

func setEscalation(s *subject) {
	if s.own().AllowPrivilegeEscalation != nil {
		return
	}
	if s.spec.DefaultAllowPrivilegeEscalation != nil {
		s.ownContext().AllowPrivilegeEscalation = new(*s.spec.DefaultAllowPrivilegeEscalation)
	} else if !ptr.Deref(s.spec.AllowPrivilegeEscalation, true) {
		s.ownContext().AllowPrivilegeEscalation = new(false)
	}
}
