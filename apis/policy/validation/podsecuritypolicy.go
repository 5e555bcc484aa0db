// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
	policyv1beta1 "github.com/stoa-project/stoa/apis/policy/v1beta1"
)

// volumes are the kinds of volumes that a policy can name.
//
//nolint:gochecknoglobals // constant
var volumes = []policyv1beta1.FSType{
	policyv1beta1.All, "awsElasticBlockStore", "azureDisk", "azureFile", "cephFS", "cinder", "configMap", "csi", "downwardAPI",
	"emptyDir", "ephemeral", "fc", "flexVolume", "flocker", "gcePersistentDisk", "gitRepo", "glusterfs", "hostPath", "iscsi",
	"nfs", "persistentVolumeClaim", "photonPersistentDisk", "portworxVolume", "projected", "quobyte", "rbd", "scaleIO", "secret",
	"storageos", "vsphereVolume",
}

const (
	maxSysctl     = 253
	sysctlPattern = `([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*([a-z0-9][-_a-z0-9]*)?[a-z0-9*]`
)

var sysctlRegexp = regexp.MustCompile("^" + sysctlPattern + "$")

// ValidatePodSecurityPolicy judges a policy. Some paths are not those of the fields, as
// in Kubernetes.
func ValidatePodSecurityPolicy(obj *policyv1beta1.PodSecurityPolicy) field.ErrorList {
	spec, path := &obj.Spec, field.NewPath("spec")
	const free, must, may = policyv1beta1.RunAsAny, policyv1beta1.MustRunAs, policyv1beta1.MayRunAs
	errs := validateProfiles(obj.Annotations, field.NewPath("metadata", "annotations"))
	errs = append(errs, validateStrategy(path.Child("runAsUser"), spec.RunAsUser, must, policyv1beta1.MustRunAsNonRoot, free)...)
	errs = append(errs, validateRunAsGroup(path.Child("runAsGroup"), spec.RunAsGroup)...)
	errs = append(errs, fielderrors.OneOf(path.Child("seLinux", "rule"), spec.SELinux.Rule, must, free)...)
	errs = append(errs, validateStrategy(path.Child("supplementalGroups"), ids(spec.SupplementalGroups), may, must, free)...)
	errs = append(errs, validateStrategy(path.Child("fsGroup"), ids(spec.FSGroup), may, must, free)...)
	for _, v := range spec.Volumes {
		errs = append(errs, fielderrors.OneOf(path.Child("volumes"), v, volumes...)...)
	}
	errs = append(errs, validateCapabilities(spec)...)
	if ptr.Deref(spec.DefaultAllowPrivilegeEscalation, false) && !ptr.Deref(spec.AllowPrivilegeEscalation, true) {
		errs = append(errs, field.Invalid(path.Child("defaultAllowPrivilegeEscalation"), true,
			"Cannot set DefaultAllowPrivilegeEscalation to true without also setting AllowPrivilegeEscalation to true"))
	}
	for i, p := range spec.AllowedProcMountTypes {
		errs = append(errs, fielderrors.OneOf(path.Child("allowedProcMountTypes").Index(i), p, corev1.DefaultProcMount, corev1.UnmaskedProcMount)...)
	}
	errs = append(errs, validateVolumeSources(spec, path)...)
	allowed, forbidden := path.Child("allowedUnsafeSysctls"), path.Child("forbiddenSysctls")
	errs = append(errs, validateSysctls(allowed, spec.AllowedUnsafeSysctls)...)
	errs = append(errs, validateSysctls(forbidden, spec.ForbiddenSysctls)...)
	for i, a := range spec.AllowedUnsafeSysctls {
		for j, f := range spec.ForbiddenSysctls {
			errs = append(errs, validateOverlap(allowed.Index(i), forbidden.Index(j), a, f)...)
		}
	}
	return append(errs, validateRuntimeClasses(path.Child("runtimeClass"), spec.RuntimeClass)...)
}

// validateProfiles judges the annotations, which hold what pods had no fields for.
func validateProfiles(annotations map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	each := func(key string, most int, check func(name, all string, path *field.Path) field.ErrorList) {
		value := annotations[key]
		for _, name := range strings.SplitN(value, ",", most) {
			if value != "" && (name != policyv1beta1.All || key != policyv1beta1.SeccompAllowedProfiles) {
				errs = append(errs, check(name, value, path.Key(key))...)
			}
		}
	}
	appArmor := func(name, all string, path *field.Path) field.ErrorList {
		if name == "" || strings.HasPrefix(name, corev1.DeprecatedAppArmorBetaProfileNamePrefix) || corevalidation.AppArmorOfAnnotation(name) != nil {
			return nil
		}
		return field.ErrorList{field.Invalid(path, all, fmt.Sprintf("invalid AppArmor profile name: %q", name))}
	}
	seccomp := func(name, _ string, path *field.Path) field.ErrorList {
		return corevalidation.ValidateSeccompName(name, path)
	}
	each(policyv1beta1.AppArmorDefaultProfile, 1, appArmor)
	each(policyv1beta1.AppArmorAllowedProfiles, -1, appArmor)
	each(policyv1beta1.SeccompDefaultProfile, 1, seccomp)
	each(policyv1beta1.SeccompAllowedProfiles, -1, seccomp)
	return errs
}

// ids is the shape of all rules for users and groups.
type ids = policyv1beta1.RunAsUserStrategyOptions

func validateStrategy(path *field.Path, got ids, supported ...policyv1beta1.Rule) field.ErrorList {
	return append(fielderrors.OneOf(path.Child("rule"), got.Rule, supported...), validateRanges(path.Child("ranges"), got.Ranges)...)
}

func validateRanges(path *field.Path, ranges []policyv1beta1.IDRange) field.ErrorList {
	var errs field.ErrorList
	for i, r := range ranges {
		if r.Min < 0 {
			errs = append(errs, field.Invalid(path.Index(i).Child("min"), r.Min, "min cannot be negative"))
		}
		if r.Max < 0 {
			errs = append(errs, field.Invalid(path.Index(i).Child("max"), r.Max, "max cannot be negative"))
		}
		if r.Min > r.Max {
			errs = append(errs, field.Invalid(path.Index(i).Child("min"), r.Min, "min cannot be greater than max"))
		}
	}
	return errs
}

// validateRunAsGroup is stricter than what came before it.
func validateRunAsGroup(path *field.Path, group *policyv1beta1.RunAsGroupStrategyOptions) field.ErrorList {
	switch {
	case group == nil:
		return nil
	case group.Rule == policyv1beta1.RunAsAny && len(group.Ranges) > 0:
		return field.ErrorList{field.Invalid(path.Child("ranges"), group.Ranges, "Ranges must be empty")}
	case (group.Rule == policyv1beta1.MustRunAs || group.Rule == policyv1beta1.MayRunAs) && len(group.Ranges) == 0:
		return field.ErrorList{field.Invalid(path.Child("ranges"), group.Ranges, "must provide at least one range")}
	}
	return validateStrategy(path, ids(*group), policyv1beta1.MustRunAs, policyv1beta1.RunAsAny, policyv1beta1.MayRunAs)
}

func validateCapabilities(spec *policyv1beta1.PodSecurityPolicySpec) field.ErrorList {
	var errs field.ErrorList
	if len(spec.RequiredDropCapabilities) > 0 && slices.Contains(spec.AllowedCapabilities, policyv1beta1.All) {
		errs = append(errs, field.Invalid(field.NewPath("requiredDropCapabilities"), spec.RequiredDropCapabilities,
			"must be empty when all capabilities are allowed by a wildcard"))
	}
	check := func(name string, list []corev1.Capability) {
		for _, c := range list {
			if slices.Contains(spec.RequiredDropCapabilities, c) {
				errs = append(errs, field.Invalid(field.NewPath(name), c, fmt.Sprintf("capability is listed in %s and requiredDropCapabilities", name)))
			}
		}
	}
	check("defaultAddCapabilities", spec.DefaultAddCapabilities)
	check("allowedCapabilities", spec.AllowedCapabilities)
	return errs
}

func validateVolumeSources(spec *policyv1beta1.PodSecurityPolicySpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, p := range spec.AllowedHostPaths {
		at := path.Child("allowedHostPaths").Index(i)
		if p.PathPrefix == "" {
			errs = append(errs, field.Required(at, "is required"))
			break
		}
		if slices.Contains(strings.Split(p.PathPrefix, "/"), "..") {
			errs = append(errs, field.Invalid(at, p.PathPrefix, "must not contain '..'"))
		}
	}
	for i, v := range spec.AllowedFlexVolumes {
		if v.Driver == "" {
			errs = append(errs, field.Required(path.Child("allowedFlexVolumes", "allowedFlexVolumes").Index(i).Child("driver"), "must specify a driver"))
		}
	}
	for i, d := range spec.AllowedCSIDrivers {
		errs = append(errs, corevalidation.ValidateCSIDriverName(d.Name, path.Child("allowedCSIDrivers").Index(i).Child("name"))...)
	}
	return errs
}

func validateSysctls(path *field.Path, patterns []string) field.ErrorList {
	var errs field.ErrorList
	all := false
	for i, p := range patterns {
		switch {
		case p == "":
			errs = append(errs, field.Invalid(path.Index(i), p, "empty sysctl not allowed"))
		case len(p) > maxSysctl || !sysctlRegexp.MatchString(p):
			errs = append(errs, field.Invalid(path.Index(i), p, fmt.Sprintf("must have at most %d characters and match regex %s", maxSysctl, sysctlPattern)))
		default:
			all = all || p == policyv1beta1.All
		}
	}
	if all && len(patterns) > 1 {
		errs = append(errs, field.Forbidden(path.Child("items"), "if '*' is present, must not specify other sysctls"))
	}
	return errs
}

// validateOverlap blames the narrower of an allowed and a forbidden sysctl for being
// in the other, and the allowed one if they are the same.
func validateOverlap(allowedPath, forbiddenPath *field.Path, allowed, forbidden string) field.ErrorList {
	within := func(pattern, other string) bool {
		prefix, isPattern := strings.CutSuffix(other, policyv1beta1.All)
		return pattern == other || isPattern && strings.HasPrefix(strings.TrimSuffix(pattern, policyv1beta1.All), prefix)
	}
	switch {
	case within(allowed, forbidden):
		return field.ErrorList{field.Invalid(allowedPath, allowed, "sysctl overlaps with "+forbidden)}
	case within(forbidden, allowed):
		return field.ErrorList{field.Invalid(forbiddenPath, forbidden, "sysctl overlaps with "+allowed)}
	}
	return nil
}

func validateRuntimeClasses(path *field.Path, classes *policyv1beta1.RuntimeClassStrategyOptions) field.ErrorList {
	if classes == nil {
		return nil
	}
	var errs field.ErrorList
	list := path.Child("allowedRuntimeClassNames")
	for i, name := range classes.AllowedRuntimeClassNames {
		if name != policyv1beta1.All {
			errs = append(errs, fielderrors.Each(list.Index(i), name, validation.IsDNS1123Subdomain(name))...)
		}
		if slices.Contains(classes.AllowedRuntimeClassNames[:i], name) {
			errs = append(errs, field.Duplicate(list.Index(i), name))
		}
	}
	all := slices.Contains(classes.AllowedRuntimeClassNames, policyv1beta1.All)
	if name := classes.DefaultRuntimeClassName; name != nil {
		errs = append(errs, fielderrors.Each(path.Child("defaultRuntimeClassName"), *name, validation.IsDNS1123Subdomain(*name))...)
		if !all && !slices.Contains(classes.AllowedRuntimeClassNames, *name) {
			errs = append(errs, field.Required(list, fmt.Sprintf("default %q must be allowed", *name)))
		}
	}
	if all && len(classes.AllowedRuntimeClassNames) > 1 {
		errs = append(errs, field.Invalid(list, classes.AllowedRuntimeClassNames, "if * is present, must not specify other RuntimeClass names"))
	}
	return errs
}
