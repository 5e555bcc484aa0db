// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

const (
	maxCredentialKiB = 64
	maxUserDomain    = 256
	maxUserName      = 104
	windowsDNSLabel  = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
)

var (
	controlCharacters = regexp.MustCompile("[[:cntrl:]]+")
	netBIOSName       = regexp.MustCompile(`^[^\\/:\*\?"<>|\.][^\\/:\*\?"<>|]{0,14}$`)
	windowsDNSName    = regexp.MustCompile("^" + windowsDNSLabel + `(?:\.` + windowsDNSLabel + ")*$")
	dotsAndSpaces     = regexp.MustCompile(`^[\. ]+$`)
)

func validateWindowsOptions(options *corev1.WindowsSecurityContextOptions, path *field.Path) field.ErrorList {
	if options == nil {
		return nil
	}
	var errs field.ErrorList
	if name := options.GMSACredentialSpecName; name != nil {
		errs = append(errs, fielderrors.Each(path.Child("gmsaCredentialSpecName"), name, validation.IsDNS1123Subdomain(*name))...)
	}
	if spec := options.GMSACredentialSpec; spec != nil {
		path := path.Child("gmsaCredentialSpec")
		if *spec == "" {
			errs = append(errs, field.Invalid(path, spec, "gmsaCredentialSpec cannot be an empty string"))
		} else if len(*spec) > maxCredentialKiB<<10 {
			errs = append(errs, field.Invalid(path, spec, fmt.Sprintf("gmsaCredentialSpec size must be under %d KiB", maxCredentialKiB)))
		}
	}
	if name := options.RunAsUserName; name != nil {
		errs = append(errs, fielderrors.Each(path.Child("runAsUserName"), name, windowsUserProblems(*name))...)
	}
	return errs
}

// windowsUserProblems says what is wrong with the name of a user, perhaps with its
// domain.
func windowsUserProblems(name string) []string {
	switch {
	case name == "":
		return []string{"runAsUserName cannot be an empty string"}
	case controlCharacters.MatchString(name):
		return []string{"runAsUserName cannot contain control characters"}
	case strings.Count(name, `\`) > 1:
		return []string{"runAsUserName cannot contain more than one backslash"}
	}
	var texts []string
	user := name
	if domain, rest, ok := strings.Cut(name, `\`); ok {
		user = rest
		if len(domain) >= maxUserDomain {
			texts = append(texts, fmt.Sprintf("runAsUserName's Domain length must be under %d characters", maxUserDomain))
		}
		if !netBIOSName.MatchString(domain) && !windowsDNSName.MatchString(domain) {
			texts = append(texts, "runAsUserName's Domain doesn't match the NetBios nor the DNS format")
		}
	}
	if user == "" {
		texts = append(texts, "runAsUserName's User cannot be empty")
	} else if len(user) > maxUserName {
		texts = append(texts, fmt.Sprintf("runAsUserName's User length must not be longer than %d characters", maxUserName))
	}
	if dotsAndSpaces.MatchString(user) {
		texts = append(texts, "runAsUserName's User cannot contain only periods or spaces")
	}
	if strings.ContainsAny(user, `"/\:;|=,+*?<>@[]`) {
		texts = append(texts, `runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]`)
	}
	return texts
}

// validateHostProcess judges containers that run as processes of a Windows node: all
// of a pod do or none.
func validateHostProcess(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	var pod *bool
	if spec.SecurityContext != nil && spec.SecurityContext.WindowsOptions != nil {
		pod = spec.SecurityContext.WindowsOptions.HostProcess
	}
	all, host := 0, 0
	VisitContainers(spec, path, func(c *corev1.Container, path *field.Path) {
		all++
		own := pod
		if c.SecurityContext != nil && c.SecurityContext.WindowsOptions != nil && c.SecurityContext.WindowsOptions.HostProcess != nil {
			own = c.SecurityContext.WindowsOptions.HostProcess
			if pod != nil && *pod != *own {
				errs = append(errs, field.Invalid(path.Child("securityContext", "windowsOptions", "hostProcess"), *own,
					fmt.Sprintf("pod hostProcess value must be identical if both are specified, was %v", *pod)))
			}
		}
		if ptr.Deref(own, false) {
			host++
		}
	})
	if host == 0 {
		return errs
	}
	if host != all {
		errs = append(errs, field.Invalid(path, "", "If pod contains any hostProcess containers then all containers must be HostProcess containers"))
	}
	if !spec.HostNetwork {
		errs = append(errs, field.Invalid(path.Child("hostNetwork"), spec.HostNetwork, "hostNetwork must be true if pod contains any hostProcess containers"))
	}
	return errs
}

// validateOS judges the operating system and refuses what the other one alone has.
func validateOS(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	switch {
	case spec.OS == nil:
		return nil
	case spec.OS.Name == "":
		return field.ErrorList{field.Required(path.Child("os", "name"), "")}
	case spec.OS.Name == corev1.Linux:
		return validateLinux(spec, path)
	case spec.OS.Name == corev1.Windows:
		return validateWindows(spec, path)
	}
	return fielderrors.OneOf(path.Child("os"), spec.OS.Name, corev1.Linux, corev1.Windows)
}

func validateLinux(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	const unfit = "windows options cannot be set for a linux pod"
	var errs field.ErrorList
	if spec.SecurityContext != nil && spec.SecurityContext.WindowsOptions != nil {
		errs = append(errs, field.Forbidden(path.Child("securityContext", "windowsOptions"), unfit))
	}
	VisitContainers(spec, path, func(c *corev1.Container, path *field.Path) {
		if c.SecurityContext != nil && c.SecurityContext.WindowsOptions != nil {
			errs = append(errs, field.Forbidden(path.Child("securityContext", "windowsOptions"), unfit))
		}
	})
	return errs
}

type setField struct {
	name string
	set  bool
}

func forbidOnWindows(fields []setField, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, f := range fields {
		if f.set {
			errs = append(errs, field.Forbidden(path.Child(f.name), "cannot be set for a windows pod"))
		}
	}
	return errs
}

func validateWindows(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	errs := forbidOnWindows([]setField{
		{"hostUsers", spec.HostUsers != nil}, {"hostPID", spec.HostPID}, {"hostIPC", spec.HostIPC},
		{"shareProcessNamespace", spec.ShareProcessNamespace != nil},
	}, path)
	if sc := spec.SecurityContext; sc != nil {
		errs = append(errs, forbidOnWindows([]setField{
			{"appArmorProfile", sc.AppArmorProfile != nil}, {"seLinuxOptions", sc.SELinuxOptions != nil},
			{"seccompProfile", sc.SeccompProfile != nil}, {"fsGroup", sc.FSGroup != nil},
			{"fsGroupChangePolicy", sc.FSGroupChangePolicy != nil}, {"sysctls", len(sc.Sysctls) > 0},
			{"runAsUser", sc.RunAsUser != nil}, {"runAsGroup", sc.RunAsGroup != nil},
			{"supplementalGroups", sc.SupplementalGroups != nil}, {"supplementalGroupsPolicy", sc.SupplementalGroupsPolicy != nil},
			{"seLinuxChangePolicy", sc.SELinuxChangePolicy != nil},
		}, path.Child("securityContext"))...)
	}
	VisitContainers(spec, path, func(c *corev1.Container, path *field.Path) {
		if sc := c.SecurityContext; sc != nil {
			errs = append(errs, forbidOnWindows([]setField{
				{"appArmorProfile", sc.AppArmorProfile != nil}, {"seLinuxOptions", sc.SELinuxOptions != nil},
				{"seccompProfile", sc.SeccompProfile != nil}, {"capabilities", sc.Capabilities != nil},
				{"readOnlyRootFilesystem", sc.ReadOnlyRootFilesystem != nil}, {"privileged", sc.Privileged != nil},
				{"allowPrivilegeEscalation", sc.AllowPrivilegeEscalation != nil}, {"procMount", sc.ProcMount != nil},
				{"runAsUser", sc.RunAsUser != nil}, {"runAsGroup", sc.RunAsGroup != nil},
			}, path.Child("securityContext"))...)
		}
	})
	return errs
}
