// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/component-helpers/node/util/sysctl"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

func validateID(id *int64, check func(int64) []string, path *field.Path) field.ErrorList {
	if id == nil {
		return nil
	}
	return fielderrors.Each(path, *id, check(*id))
}

func validatePodSecurity(spec *corev1.PodSpec, path *field.Path, opts PodOptions) field.ErrorList {
	sc := spec.SecurityContext
	if sc == nil {
		return nil
	}
	errs := validateID(sc.FSGroup, validation.IsValidGroupID, path.Child("fsGroup"))
	errs = append(errs, validateID(sc.RunAsUser, validation.IsValidUserID, path.Child("runAsUser"))...)
	errs = append(errs, validateID(sc.RunAsGroup, validation.IsValidGroupID, path.Child("runAsGroup"))...)
	for i := range sc.SupplementalGroups {
		errs = append(errs, validateID(&sc.SupplementalGroups[i], validation.IsValidGroupID, path.Child("supplementalGroups").Index(i))...)
	}
	errs = append(errs, validateSysctls(spec, path.Child("sysctls"), opts)...)
	if sc.FSGroupChangePolicy != nil {
		errs = append(errs, fielderrors.OneOf(path.Child("fsGroupChangePolicy"), *sc.FSGroupChangePolicy, corev1.FSGroupChangeAlways, corev1.FSGroupChangeOnRootMismatch)...)
	}
	errs = append(errs, validateSeccomp(sc.SeccompProfile, path.Child("seccompProfile"))...)
	errs = append(errs, validateWindowsOptions(sc.WindowsOptions, path.Child("windowsOptions"))...)
	errs = append(errs, validateAppArmor(sc.AppArmorProfile, path.Child("appArmorProfile"))...)
	if sc.SupplementalGroupsPolicy != nil {
		errs = append(errs, fielderrors.OneOf(path.Child("supplementalGroupsPolicy"), *sc.SupplementalGroupsPolicy, corev1.SupplementalGroupsPolicyMerge, corev1.SupplementalGroupsPolicyStrict)...)
	}
	if sc.SELinuxChangePolicy != nil {
		errs = append(errs, fielderrors.OneOf(path.Child("seLinuxChangePolicy"), *sc.SELinuxChangePolicy, corev1.SELinuxChangePolicyMountOption, corev1.SELinuxChangePolicyRecursive)...)
	}
	return errs
}

const (
	sysctlSegment = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
	maxSysctlName = 253
)

var sysctlName = regexp.MustCompile("^(" + sysctlSegment + `[\./])*` + sysctlSegment + "$")

func validateSysctls(spec *corev1.PodSpec, path *field.Path, opts PodOptions) field.ErrorList {
	var errs field.ErrorList
	seen := sets.Set[string]{}
	for i, s := range spec.SecurityContext.Sysctls {
		path := path.Index(i).Child("name")
		switch {
		case s.Name == "":
			errs = append(errs, field.Required(path, ""))
		case len(s.Name) > maxSysctlName || !sysctlName.MatchString(s.Name):
			errs = append(errs, field.Invalid(path, s.Name, fmt.Sprintf("must have at most %d characters and match regex %s", maxSysctlName, sysctlName)))
		case seen.Has(s.Name):
			errs = append(errs, field.Duplicate(path, s.Name))
		}
		seen.Insert(s.Name)
		if shared := sharedNamespace(spec, s.Name); shared != "" && !opts.AllowSharedSysctls {
			errs = append(errs, field.Invalid(path, s.Name, "may not be specified when '"+shared+"' is true"))
		}
	}
	return errs
}

// sharedNamespace names the field by which the namespace of a sysctl is that of the
// node, if it is.
func sharedNamespace(spec *corev1.PodSpec, name string) string {
	switch namespace, _, _ := sysctl.GetNamespace(name); {
	case spec.HostNetwork && namespace == sysctl.NetNamespace:
		return "hostNetwork"
	case spec.HostIPC && namespace == sysctl.IPCNamespace:
		return "hostIPC"
	}
	return ""
}

func validateSecurityContext(sc *corev1.SecurityContext, hostUsers bool, path *field.Path) field.ErrorList {
	if sc == nil {
		return nil
	}
	errs := validateID(sc.RunAsUser, validation.IsValidUserID, path.Child("runAsUser"))
	errs = append(errs, validateID(sc.RunAsGroup, validation.IsValidGroupID, path.Child("runAsGroup"))...)
	if sc.ProcMount != nil {
		errs = append(errs, fielderrors.OneOf(path.Child("procMount"), *sc.ProcMount, corev1.DefaultProcMount, corev1.UnmaskedProcMount)...)
		if hostUsers && *sc.ProcMount == corev1.UnmaskedProcMount {
			errs = append(errs, field.Invalid(path.Child("procMount"), sc.ProcMount, "`hostUsers` must be false to use `Unmasked`"))
		}
	}
	errs = append(errs, validateSeccomp(sc.SeccompProfile, path.Child("seccompProfile"))...)
	if !ptr.Deref(sc.AllowPrivilegeEscalation, true) {
		if ptr.Deref(sc.Privileged, false) {
			errs = append(errs, field.Invalid(path, sc, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"))
		}
		if sc.Capabilities != nil {
			for _, capability := range sc.Capabilities.Add {
				if capability == "CAP_SYS_ADMIN" {
					errs = append(errs, field.Invalid(path, sc, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"))
				}
			}
		}
	}
	errs = append(errs, validateWindowsOptions(sc.WindowsOptions, path.Child("windowsOptions"))...)
	return append(errs, validateAppArmor(sc.AppArmorProfile, path.Child("appArmorProfile"))...)
}

func validateSeccomp(profile *corev1.SeccompProfile, path *field.Path) field.ErrorList {
	if profile == nil {
		return nil
	}
	var errs field.ErrorList
	if profile.Type == "" {
		errs = append(errs, field.Required(path.Child("type"), "type is required when seccompProfile is set"))
	} else {
		errs = append(errs, fielderrors.OneOf(path.Child("type"), profile.Type,
			corev1.SeccompProfileTypeLocalhost, corev1.SeccompProfileTypeRuntimeDefault, corev1.SeccompProfileTypeUnconfined)...)
	}
	local := path.Child("localhostProfile")
	switch {
	case profile.Type != corev1.SeccompProfileTypeLocalhost && profile.LocalhostProfile != nil:
		errs = append(errs, field.Invalid(local, profile, "can only be set when seccomp type is Localhost"))
	case profile.Type == corev1.SeccompProfileTypeLocalhost && profile.LocalhostProfile == nil:
		errs = append(errs, field.Required(local, "must be set when seccomp type is Localhost"))
	case profile.Type == corev1.SeccompProfileTypeLocalhost:
		errs = append(errs, validateLocalPath(*profile.LocalhostProfile, local)...)
	}
	return errs
}

// maxLocalProfile is the longest path of Linux.
const maxLocalProfile = 4095

func validateAppArmor(profile *corev1.AppArmorProfile, path *field.Path) field.ErrorList {
	const missing = "must be set when AppArmor type is Localhost"
	if profile == nil {
		return nil
	}
	var errs field.ErrorList
	local := path.Child("localhostProfile")
	switch profile.Type {
	case corev1.AppArmorProfileTypeLocalhost:
		name := ptr.Deref(profile.LocalhostProfile, "")
		if strings.TrimSpace(name) != name {
			errs = append(errs, field.Invalid(local, name, "must not be padded with whitespace"))
		} else if name == "" {
			errs = append(errs, field.Required(local, missing))
		}
		if len(name) > maxLocalProfile {
			errs = append(errs, field.TooLong(local, "" /* not printed */, maxLocalProfile))
		}
	case corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined:
		if profile.LocalhostProfile != nil {
			errs = append(errs, field.Invalid(local, profile.LocalhostProfile, "can only be set when AppArmor type is Localhost"))
		}
	case "":
		errs = append(errs, field.Required(path.Child("type"), "type is required when appArmorProfile is set"))
	default:
		errs = append(errs, field.NotSupported(path.Child("type"), profile.Type, []corev1.AppArmorProfileType{
			corev1.AppArmorProfileTypeLocalhost, corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined,
		}))
	}
	return errs
}
