// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package podsecuritypolicy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/component-helpers/node/util/sysctl"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	policyv1beta1 "github.com/stoa-project/stoa/apis/policy/v1beta1"
)

// subject is what a rule is about: a policy and a pod, or one of its containers.
type subject struct {
	policy    *policy
	spec      *policyv1beta1.PodSecurityPolicySpec
	pod       *corev1.Pod
	container *corev1.Container
	// path is that of the pod's security context, or of the container.
	path *field.Path
}

// ids is the shape of all rules for users and groups.
type ids = policyv1beta1.RunAsUserStrategyOptions

// rule is one concern of policies.
type rule struct {
	// set fills in what the policy demands and the pod does not say. Nil: nothing.
	set func(*subject)
	// check says what the policy does not allow.
	check func(*subject) field.ErrorList
}

// podRules are what policies say of a pod as a whole, in the order of the errors.
//
//nolint:gochecknoglobals // constant
var podRules = []rule{
	{set: setFSGroup, check: func(s *subject) field.ErrorList {
		return checkGroups(s.path.Child("fsGroup"), ids(s.spec.FSGroup), one(s.of().FSGroup))
	}},
	{set: setSupplementalGroups, check: func(s *subject) field.ErrorList {
		return checkGroups(s.path.Child("supplementalGroups"), ids(s.spec.SupplementalGroups), s.of().SupplementalGroups)
	}},
	{set: setPodSeccomp, check: func(s *subject) field.ErrorList {
		return s.checkSeccomp(corev1.SeccompPodAnnotationKey, podSeccomp(s.pod))
	}},
	{set: setSELinux, check: func(s *subject) field.ErrorList { return s.checkSELinux(s.path, s.of().SELinuxOptions) }},
	{check: checkHost},
	{check: checkSysctls},
	{check: checkVolumes},
	{set: setRuntimeClass, check: checkRuntimeClass},
}

// apply makes a pod as a policy demands it, and returns what the policy does not allow.
func apply(p *policy, pod *corev1.Pod) field.ErrorList {
	each := func(do func(*subject, rule)) {
		s := subject{policy: p, spec: &p.Spec, pod: pod, path: field.NewPath("spec", "securityContext")}
		for _, r := range podRules {
			do(&s, r)
		}
		corevalidation.VisitContainers(&pod.Spec, field.NewPath("spec"), func(c *corev1.Container, path *field.Path) {
			s.container, s.path = c, path
			for _, r := range containerRules {
				do(&s, r)
			}
		})
	}
	var errs field.ErrorList
	each(func(s *subject, r rule) {
		if r.set != nil {
			r.set(s)
		}
	})
	each(func(s *subject, r rule) { errs = append(errs, r.check(s)...) })
	return errs
}

// isComplete says whether the rules of a policy have the values that they need. One
// that is not complete allows nothing.
func isComplete(spec *policyv1beta1.PodSecurityPolicySpec) bool {
	lacks := func(r ids) bool {
		return (r.Rule == policyv1beta1.MustRunAs || r.Rule == policyv1beta1.MayRunAs) && len(r.Ranges) == 0
	}
	return !slices.ContainsFunc([]ids{spec.RunAsUser, runAsGroup(spec), ids(spec.FSGroup), ids(spec.SupplementalGroups)}, lacks) &&
		(spec.SELinux.Rule != policyv1beta1.MustRunAs || spec.SELinux.SELinuxOptions != nil)
}

// of returns the security context of the pod, to read.
func (s *subject) of() corev1.PodSecurityContext {
	return ptr.Deref(s.pod.Spec.SecurityContext, corev1.PodSecurityContext{})
}

// context returns it to write.
func (s *subject) context() *corev1.PodSecurityContext {
	if s.pod.Spec.SecurityContext == nil {
		s.pod.Spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	return s.pod.Spec.SecurityContext
}

func annotate(pod *corev1.Pod, key, value string) {
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations[key] = value
}

func setFSGroup(s *subject) {
	if groups := &s.spec.FSGroup; groups.Rule == policyv1beta1.MustRunAs && s.of().FSGroup == nil {
		s.context().FSGroup = new(groups.Ranges[0].Min)
	}
}

func setSupplementalGroups(s *subject) {
	if groups := &s.spec.SupplementalGroups; groups.Rule == policyv1beta1.MustRunAs && s.of().SupplementalGroups == nil {
		s.context().SupplementalGroups = []int64{groups.Ranges[0].Min}
	}
}

func setSELinux(s *subject) {
	if labels := &s.spec.SELinux; labels.Rule == policyv1beta1.MustRunAs && s.of().SELinuxOptions == nil {
		s.context().SELinuxOptions = labels.SELinuxOptions.DeepCopy()
	}
}

func setRuntimeClass(s *subject) {
	if classes := s.spec.RuntimeClass; classes != nil && s.pod.Spec.RuntimeClassName == nil && classes.DefaultRuntimeClassName != nil {
		s.pod.Spec.RuntimeClassName = new(*classes.DefaultRuntimeClassName)
	}
}

// one is the list of the one group that there is, or none.
func one(group *int64) []int64 {
	if group == nil {
		return nil
	}
	return []int64{*group}
}

func inRanges(id int64, ranges []policyv1beta1.IDRange) bool {
	return slices.ContainsFunc(ranges, func(r policyv1beta1.IDRange) bool { return r.Min <= id && id <= r.Max })
}

func checkGroups(path *field.Path, want ids, groups []int64) field.ErrorList {
	if want.Rule == policyv1beta1.RunAsAny {
		return nil
	}
	var errs field.ErrorList
	if want.Rule == policyv1beta1.MustRunAs && len(groups) == 0 {
		errs = append(errs, field.Invalid(path, groups, "unable to validate empty groups against required ranges"))
	}
	for _, group := range groups {
		if !inRanges(group, want.Ranges) {
			errs = append(errs, field.Invalid(path, groups, fmt.Sprintf("group %d must be in the ranges: %v", group, want.Ranges)))
		}
	}
	return errs
}

// checkSELinux judges the labels of the security context at a path.
func (s *subject) checkSELinux(path *field.Path, got *corev1.SELinuxOptions) field.ErrorList {
	if s.spec.SELinux.Rule != policyv1beta1.MustRunAs {
		return nil
	}
	path = path.Child("seLinuxOptions")
	want := s.spec.SELinux.SELinuxOptions
	if got == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	var errs field.ErrorList
	for _, label := range []struct{ name, got, want string }{
		{"level", got.Level, want.Level}, {"role", got.Role, want.Role}, {"type", got.Type, want.Type}, {"user", got.User, want.User},
	} {
		if label.got != label.want && (label.name != "level" || !sameLevel(label.got, label.want)) {
			errs = append(errs, field.Invalid(path.Child(label.name), label.got, "must be "+label.want))
		}
	}
	return errs
}

// sameLevel takes the categories of a level in any order.
func sameLevel(a, b string) bool {
	sensitivity, first, ok := strings.Cut(a, ":")
	other, second, also := strings.Cut(b, ":")
	x, y := strings.Split(first, ","), strings.Split(second, ",")
	slices.Sort(x)
	slices.Sort(y)
	return ok && also && sensitivity == other && slices.Equal(x, y)
}

func checkHost(s *subject) field.ErrorList {
	var errs field.ErrorList
	for _, h := range []struct {
		field, what   string
		asked, allows bool
	}{
		{"hostNetwork", "network", s.pod.Spec.HostNetwork, s.spec.HostNetwork},
		{"hostPID", "PID", s.pod.Spec.HostPID, s.spec.HostPID},
		{"hostIPC", "IPC", s.pod.Spec.HostIPC, s.spec.HostIPC},
	} {
		if h.asked && !h.allows {
			errs = append(errs, field.Invalid(s.path.Child(h.field), true, "Host "+h.what+" is not allowed to be used"))
		}
	}
	return errs
}

// checkSysctls lets pass those that are safe in every version since 1.22.
func checkSysctls(s *subject) field.ErrorList {
	safe := []string{
		"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_syncookies",
	}
	matches := func(patterns []string, name string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			prefix, isPrefix := strings.CutSuffix(sysctl.NormalizeName(pattern), policyv1beta1.All)
			return name == prefix || isPrefix && strings.HasPrefix(name, prefix)
		})
	}
	var errs field.ErrorList
	for i, item := range s.of().Sysctls {
		path, name := field.NewPath("pod", "spec", "securityContext", "sysctls").Index(i), sysctl.NormalizeName(item.Name)
		switch {
		case matches(s.spec.ForbiddenSysctls, name):
			errs = append(errs, field.Forbidden(path, fmt.Sprintf("sysctl %q is not allowed", item.Name)))
		case !matches(safe, name) && !matches(s.spec.AllowedUnsafeSysctls, name):
			errs = append(errs, field.Forbidden(path, fmt.Sprintf("unsafe sysctl %q is not allowed", item.Name)))
		}
	}
	return errs
}

func checkVolumes(s *subject) field.ErrorList {
	var errs field.ErrorList
	for i := range s.pod.Spec.Volumes {
		v, path := &s.pod.Spec.Volumes[i], field.NewPath("spec", "volumes").Index(i)
		named := func(t policyv1beta1.FSType) bool { return slices.Contains(s.spec.Volumes, t) }
		of := volumeType(v)
		if allowed := named(policyv1beta1.All) || named(of) || named(policyv1beta1.Secret) && isToken(v.Projected); !allowed {
			errs = append(errs, field.Invalid(path, string(of), fmt.Sprintf("%s volumes are not allowed to be used", of)))
			continue
		}
		switch of {
		case policyv1beta1.HostPath:
			errs = append(errs, s.checkHostPath(v, path)...)
		case policyv1beta1.FlexVolume:
			driver := policyv1beta1.AllowedFlexVolume{Driver: v.FlexVolume.Driver}
			if allowed := s.spec.AllowedFlexVolumes; len(allowed) > 0 && !slices.Contains(allowed, driver) {
				errs = append(errs, field.Invalid(path.Child("driver"), driver.Driver, "Flexvolume driver is not allowed to be used"))
			}
		case policyv1beta1.CSI:
			driver := policyv1beta1.AllowedCSIDriver{Name: v.CSI.Driver}
			if allowed := s.spec.AllowedCSIDrivers; len(allowed) > 0 && !slices.Contains(allowed, driver) {
				errs = append(errs, field.Invalid(path.Child("csi", "driver"), driver.Name, "Inline CSI driver is not allowed to be used"))
			}
		}
	}
	return errs
}

// volumeType is the name of the field that says what a volume is.
func volumeType(v *corev1.Volume) policyv1beta1.FSType {
	source := reflect.ValueOf(v.VolumeSource)
	for i := range source.NumField() {
		if !source.Field(i).IsNil() {
			name, _, _ := strings.Cut(source.Type().Field(i).Tag.Get("json"), ",")
			return policyv1beta1.FSType(strings.Replace(name, "cephfs", "cephFS", 1)) // the one name that differs
		}
	}
	return ""
}

// isToken says whether a volume is what every pod has of its service account, which
// was a secret once.
func isToken(v *corev1.ProjectedVolumeSource) bool {
	return v != nil && !slices.ContainsFunc(v.Sources, func(s corev1.VolumeProjection) bool {
		switch {
		case s.ServiceAccountToken != nil:
			return s.ServiceAccountToken.Path != "token" || s.ServiceAccountToken.Audience != ""
		case s.ConfigMap != nil:
			return s.ConfigMap.Name != "kube-root-ca.crt"
		case s.DownwardAPI != nil:
			return slices.ContainsFunc(s.DownwardAPI.Items, func(f corev1.DownwardAPIVolumeFile) bool {
				return f.Path != "namespace" || f.FieldRef == nil || f.FieldRef.APIVersion != "v1" || f.FieldRef.FieldPath != "metadata.namespace"
			})
		}
		return true
	})
}

func (s *subject) checkHostPath(v *corev1.Volume, path *field.Path) field.ErrorList {
	allowed := slices.DeleteFunc(slices.Clone(s.spec.AllowedHostPaths), func(p policyv1beta1.AllowedHostPath) bool {
		return !strings.HasPrefix(strings.TrimSuffix(v.HostPath.Path, "/")+"/", strings.TrimSuffix(p.PathPrefix, "/")+"/")
	})
	switch {
	case len(s.spec.AllowedHostPaths) == 0, slices.ContainsFunc(allowed, func(p policyv1beta1.AllowedHostPath) bool { return !p.ReadOnly }):
		return nil
	case len(allowed) == 0:
		return field.ErrorList{field.Invalid(path.Child("hostPath", "pathPrefix"), v.HostPath.Path, "is not allowed to be used")}
	}
	var errs field.ErrorList
	corevalidation.VisitContainers(&s.pod.Spec, field.NewPath("spec"), func(c *corev1.Container, path *field.Path) {
		for i, m := range c.VolumeMounts {
			if m.Name == v.Name && !m.ReadOnly {
				errs = append(errs, field.Invalid(path.Child("volumeMounts").Index(i).Child("readOnly"), false, "must be read-only"))
			}
		}
	})
	return errs
}

func checkRuntimeClass(s *subject) field.ErrorList {
	classes, name := s.spec.RuntimeClass, s.pod.Spec.RuntimeClassName
	if classes == nil || name == nil || slices.Contains(classes.AllowedRuntimeClassNames, policyv1beta1.All) || slices.Contains(classes.AllowedRuntimeClassNames, *name) {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("spec", "runtimeClassName"), *name, "")}
}
