// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// containerContext is what the rules for a container need to know of its pod.
type containerContext struct {
	opts    PodOptions
	spec    *corev1.PodSpec
	volumes map[string]corev1.VolumeSource
	claims  sets.Set[string]
}

// hostUsers says that the users of the pod are those of the node.
func hostUsers(spec *corev1.PodSpec) bool { return ptr.Deref(spec.HostUsers, true) }

func isSidecar(c *corev1.Container) bool {
	return ptr.Deref(c.RestartPolicy, "") == corev1.ContainerRestartPolicyAlways
}

// VisitContainers calls each for every container with its path, those that run
// first first.
func VisitContainers(spec *corev1.PodSpec, path *field.Path, each func(*corev1.Container, *field.Path)) {
	for i := range spec.InitContainers {
		each(&spec.InitContainers[i], path.Child("initContainers").Index(i))
	}
	for i := range spec.Containers {
		each(&spec.Containers[i], path.Child("containers").Index(i))
	}
	for i := range spec.EphemeralContainers {
		each((*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon), path.Child("ephemeralContainers").Index(i))
	}
}

func (x containerContext) validateContainers(path *field.Path) field.ErrorList {
	if len(x.spec.Containers) == 0 {
		return field.ErrorList{field.Required(path, "")}
	}
	var errs field.ErrorList
	names := sets.Set[string]{}
	for i := range x.spec.Containers {
		c, at := &x.spec.Containers[i], path.Index(i)
		errs = append(errs, x.validateAny(c, at)...)
		if names.Has(c.Name) {
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		}
		names.Insert(c.Name)
		errs = append(errs, validateProbes(c, x.spec.TerminationGracePeriodSeconds, at)...)
		errs = append(errs, validateRestart(c, at)...)
	}
	return append(errs, validateHostPorts(x.spec.Containers, path)...)
}

func (x containerContext) validateInitContainers(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	names := sets.Set[string]{}
	for i := range x.spec.Containers {
		names.Insert(x.spec.Containers[i].Name)
	}
	for i := range x.spec.InitContainers {
		c, at := &x.spec.InitContainers[i], path.Index(i)
		errs = append(errs, x.validateAny(c, at)...)
		errs = append(errs, validateRestart(c, at)...)
		if names.Has(c.Name) {
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		} else if c.Name != "" {
			names.Insert(c.Name)
		}
		// They run one after another, so that they may share ports.
		errs = append(errs, validateHostPorts(x.spec.InitContainers[i:i+1], path)...)
		if isSidecar(c) {
			errs = append(errs, validateProbes(c, x.spec.TerminationGracePeriodSeconds, at)...)
		} else {
			errs = append(errs, forbidProbes(c, at)...)
		}
	}
	return errs
}

// forbidProbes refuses what is of use only where a container stays.
func forbidProbes(c *corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"lifecycle", c.Lifecycle != nil}, {"livenessProbe", c.LivenessProbe != nil},
		{"readinessProbe", c.ReadinessProbe != nil}, {"startupProbe", c.StartupProbe != nil},
	} {
		if f.set {
			errs = append(errs, field.Forbidden(path.Child(f.name), "may not be set for init containers without restartPolicy=Always"))
		}
	}
	for i, policy := range c.ResizePolicy {
		if policy.RestartPolicy == corev1.RestartContainer {
			errs = append(errs, field.Invalid(path.Child("resizePolicy").Index(i).Child("restartPolicy"), policy.RestartPolicy,
				"must not be set to 'RestartContainer' for non-sidecar initContainers"))
		}
	}
	return errs
}

// ephemeralFields are the fields of a container that a temporary one may have.
//
//nolint:gochecknoglobals // constant
var ephemeralFields = sets.New("Name", "Image", "Command", "Args", "WorkingDir", "EnvFrom", "Env",
	"VolumeMounts", "VolumeDevices", "TerminationMessagePath", "TerminationMessagePolicy", "ImagePullPolicy",
	"SecurityContext", "Stdin", "StdinOnce", "TTY")

func (x containerContext) validateEphemeralContainers(path *field.Path) field.ErrorList {
	const unfit = "cannot be set for an Ephemeral Container"
	var errs field.ErrorList
	others, names := sets.Set[string]{}, sets.Set[string]{}
	for _, list := range [][]corev1.Container{x.spec.Containers, x.spec.InitContainers} {
		for i := range list {
			others.Insert(list[i].Name)
			names.Insert(list[i].Name)
		}
	}
	for i := range x.spec.EphemeralContainers {
		ephemeral, at := &x.spec.EphemeralContainers[i], path.Index(i)
		c := (*corev1.Container)(&ephemeral.EphemeralContainerCommon)
		errs = append(errs, x.validateAny(c, at)...)
		errs = append(errs, validateImagePadding(c, at)...)
		if names.Has(c.Name) {
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		}
		names.Insert(c.Name)
		if target := ephemeral.TargetContainerName; target != "" && !others.Has(target) {
			errs = append(errs, field.NotFound(at.Child("targetContainerName"), target))
		}
		value := reflect.ValueOf(*c)
		for f := range value.NumField() {
			if name := value.Type().Field(f).Name; !ephemeralFields.Has(name) && !value.Field(f).IsZero() {
				errs = append(errs, field.Forbidden(at.Child(strings.ToLower(name[:1])+name[1:]), unfit))
			}
		}
		for j, mount := range c.VolumeMounts {
			at := at.Child("volumeMounts").Index(j)
			if mount.SubPath != "" {
				errs = append(errs, field.Forbidden(at.Child("subPath"), unfit))
			}
			if mount.SubPathExpr != "" {
				errs = append(errs, field.Forbidden(at.Child("subPathExpr"), unfit))
			}
		}
	}
	return errs
}

// validateAny judges what all kinds of containers have in common.
func (x containerContext) validateAny(c *corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if c.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), ""))
	} else {
		errs = append(errs, dnsLabel(c.Name, path.Child("name"))...)
	}
	if c.Image == "" {
		errs = append(errs, field.Required(path.Child("image"), ""))
	}
	errs = append(errs, fielderrors.RequireOneOf(path.Child("terminationMessagePolicy"), c.TerminationMessagePolicy,
		corev1.TerminationMessageReadFile, corev1.TerminationMessageFallbackToLogsOnError)...)
	errs = append(errs, validatePorts(c.Ports, path.Child("ports"))...)
	errs = append(errs, validateEnv(c.Env, path.Child("env"))...)
	errs = append(errs, validateEnvFrom(c.EnvFrom, path.Child("envFrom"))...)
	errs = append(errs, validateMounts(c, x.volumes, path.Child("volumeMounts"))...)
	errs = append(errs, validateDevices(c, x.volumes, path.Child("volumeDevices"))...)
	if len(c.VolumeDevices) > 0 && !hostUsers(x.spec) && !x.opts.AllowDevicesWithoutHostUsers {
		errs = append(errs, field.Forbidden(path.Child("volumeDevices"), "when `hostUsers` is false"))
	}
	errs = append(errs, validatePullPolicy(c.ImagePullPolicy, path.Child("imagePullPolicy"))...)
	errs = append(errs, validateRequirements(&c.Resources, ValidateContainerResourceName, x.claims, path.Child("resources"), x.opts)...)
	errs = append(errs, validateResizePolicy(c.ResizePolicy, x.spec.RestartPolicy, path.Child("resizePolicy"))...)
	return append(errs, validateSecurityContext(c.SecurityContext, hostUsers(x.spec), path.Child("securityContext"))...)
}

func validateImagePadding(c *corev1.Container, path *field.Path) field.ErrorList {
	if strings.TrimSpace(c.Image) == c.Image {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child("image"), c.Image, "must not have leading or trailing whitespace")}
}

func validatePullPolicy(policy corev1.PullPolicy, path *field.Path) field.ErrorList {
	return fielderrors.RequireOneOf(path, policy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
}

func validatePorts(ports []corev1.ContainerPort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	names := sets.Set[string]{}
	for i, port := range ports {
		path := path.Index(i)
		if port.Name != "" {
			if texts := validation.IsValidPortName(port.Name); len(texts) > 0 {
				errs = append(errs, fielderrors.Each(path.Child("name"), port.Name, texts)...)
			} else if names.Has(port.Name) {
				errs = append(errs, field.Duplicate(path.Child("name"), port.Name))
			} else {
				names.Insert(port.Name)
			}
		}
		if port.ContainerPort == 0 {
			errs = append(errs, field.Required(path.Child("containerPort"), ""))
		} else {
			errs = append(errs, fielderrors.Each(path.Child("containerPort"), port.ContainerPort, validation.IsValidPortNum(int(port.ContainerPort)))...)
		}
		if port.HostPort != 0 {
			errs = append(errs, fielderrors.Each(path.Child("hostPort"), port.HostPort, validation.IsValidPortNum(int(port.HostPort)))...)
		}
		errs = append(errs, fielderrors.RequireOneOf(path.Child("protocol"), port.Protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)...)
	}
	return errs
}

// validateHostPorts demands that containers that run together do not ask for the
// same port of the node.
func validateHostPorts(containers []corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	taken := sets.Set[string]{}
	for i := range containers {
		for j, port := range containers[i].Ports {
			if port.HostPort == 0 {
				continue
			}
			key := fmt.Sprintf("%s/%s/%d", port.Protocol, port.HostIP, port.HostPort)
			if taken.Has(key) {
				errs = append(errs, field.Duplicate(path.Index(i).Child("ports").Index(j).Child("hostPort"), key))
			}
			taken.Insert(key)
		}
	}
	return errs
}

func validateResizePolicy(policies []corev1.ContainerResizePolicy, restart corev1.RestartPolicy, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := sets.Set[corev1.ResourceName]{}
	for i, policy := range policies {
		if seen.Has(policy.ResourceName) {
			errs = append(errs, field.Duplicate(path.Index(i), policy.ResourceName))
		}
		seen.Insert(policy.ResourceName)
		errs = append(errs, fielderrors.RequireOneOf(path, policy.ResourceName, corev1.ResourceCPU, corev1.ResourceMemory)...)
		errs = append(errs, fielderrors.RequireOneOf(path, policy.RestartPolicy, corev1.NotRequired, corev1.RestartContainer)...)
		if restart == corev1.RestartPolicyNever && policy.RestartPolicy != corev1.NotRequired {
			errs = append(errs, field.Invalid(path, policy.RestartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"))
		}
	}
	return errs
}

const (
	maxRestartRules = 20
	maxExitCodes    = 255
)

// validateRestart judges how a container departs from the restart policy of the pod.
func validateRestart(c *corev1.Container, path *field.Path) field.ErrorList {
	if c.RestartPolicy == nil {
		if len(c.RestartPolicyRules) > 0 {
			return field.ErrorList{field.Required(path.Child("restartPolicy"), "must specify restartPolicy when restart rules are used")}
		}
		return nil
	}
	errs := fielderrors.OneOf(path.Child("restartPolicy"), *c.RestartPolicy,
		corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyNever, corev1.ContainerRestartPolicyOnFailure)
	rules := path.Child("restartPolicyRules")
	if n := len(c.RestartPolicyRules); n > maxRestartRules {
		errs = append(errs, field.TooMany(rules, n, maxRestartRules))
	}
	for i, rule := range c.RestartPolicyRules {
		errs = append(errs, fielderrors.OneOf(rules.Index(i).Child("action"), rule.Action,
			corev1.ContainerRestartRuleActionRestart, corev1.ContainerRestartRuleActionRestartAllContainers)...)
		codes := rules.Index(i).Child("exitCodes")
		if rule.ExitCodes == nil {
			errs = append(errs, field.Required(codes, "must be specified"))
			continue
		}
		errs = append(errs, fielderrors.OneOf(codes.Child("operator"), rule.ExitCodes.Operator,
			corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn)...)
		if n := len(rule.ExitCodes.Values); n > maxExitCodes {
			errs = append(errs, field.TooMany(codes.Child("values"), n, maxExitCodes))
		}
	}
	return errs
}
